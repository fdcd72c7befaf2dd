/**
 * The door to the configuration: what the rest of Waggle imports. The settings themselves are in `config/schema.ts`.
 */
export { configFields, type ConfigField, type FieldType } from './config/fields.ts';
export {
  loadConfig,
  parseHostPort,
  publicConfig,
  secretValues,
  type ConfigInputs,
  type ConfigSource,
  type LoadedConfig,
} from './config/load.ts';
export { ConfigError, type ConfigProblem, type ConfigProblemKind } from './config/problems.ts';
export { configSchema, type Config, type ConfigGroup, type ConfigName, type Role } from './config/schema.ts';
