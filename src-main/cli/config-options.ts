/** Every field of the configuration as a command-line option, from the one schema. Knows nothing of what they mean. */
import { Option, type Command } from 'commander';
import { configFields, type ConfigField } from '../config.ts';

/** Adds `--config FILE` and one option a field; values stay text for `loadConfig` to parse. */
export function addConfigOptions(command: Command): Command {
  command.option('--config <file>', 'JSON file with settings; flags and environment variables win over it');
  for (const field of configFields) {
    const option = new Option(
      field.type === 'boolean' ? `--${field.flag}` : `--${field.flag} <${placeholder(field)}>`,
      describe(field),
    );
    command.addOption(option);
    if (field.type === 'boolean')
      command.addOption(new Option(`--no-${field.flag}`, `The opposite of --${field.flag}.`).hideHelp());
  }
  return command;
}

function placeholder(field: ConfigField): string {
  if (field.path) return 'dir';
  if (field.type === 'choice') return field.choices.join('|');
  if (field.type === 'list') return 'list';
  if (field.range !== null) return field.unit === '' ? 'number' : field.unit.replaceAll(' ', '-');
  return 'text';
}

function describe(field: ConfigField): string {
  const preset = JSON.stringify(field.default).replaceAll(/["[\]]/g, '');
  const range = field.range === null ? '' : `, ${field.range.min} to ${field.range.max}`;
  const shown = preset === '' ? '' : ` (default ${preset}${range})`;
  return `${field.sentence}${shown} [${field.env}]`;
}

/** Given options back as arguments, for a child process. */
export function toArguments(flags: Readonly<Record<string, unknown>>): string[] {
  const given: string[] = [];
  const camel = (flag: string) => flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  if (typeof flags['config'] === 'string') given.push('--config', flags['config']);
  for (const { flag } of configFields) {
    const value = flags[camel(flag)];
    if (typeof value === 'boolean') given.push(value ? `--${flag}` : `--no-${flag}`);
    else if (typeof value === 'string') given.push(`--${flag}=${value}`);
  }
  return given;
}
