import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import {
  ConfigError,
  configFields,
  configSchema,
  loadConfig,
  parseHostPort,
  publicConfig,
  secretValues,
  type ConfigInputs,
} from '../../../src-main/config.ts';
import { configShape } from '../../../src-main/config/schema.ts';
import { defaultDataDirectory } from '../../../src-main/config/default-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'waggle-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(content: string): string {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.json`);
  writeFileSync(path, content);
  return path;
}

function failure(inputs: ConfigInputs): ConfigError {
  try {
    loadConfig(inputs);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'configInvalid');
    assert.notEqual(error.fix, '');
    return error;
  }
  assert.fail('loadConfig accepted it');
}

test('defaults parse, and every field has a sentence, a flag and a variable of its own', () => {
  const { config, sources } = loadConfig({ env: {} });
  assert.equal(config.rounds, 0);
  assert.equal(config.peerObjective, 'asympo');
  assert.ok(config.dataDirectory.length > 0);
  assert.ok(Object.values(sources).every((source) => source === 'default'));
  assert.deepEqual(configFields.map((field) => field.name).sort(), Object.keys(configSchema.parse({})).sort());
  assert.equal(new Set(configFields.map((field) => field.flag)).size, configFields.length);
  assert.equal(new Set(configFields.map((field) => field.env)).size, configFields.length);
  for (const field of configFields) {
    assert.match(field.sentence, /^[A-Z].*\.$/);
    assert.match(field.flag, /^[a-z]+[a-z0-9]*(?:-[a-z0-9]+)*$/);
    assert.match(field.env, /^WAGGLE_[A-Z0-9_]+$/);
    if (field.type === 'integer' || field.type === 'number') {
      assert.ok(field.range !== null && field.range.min < field.range.max, field.name);
      assert.ok(Number(field.default) >= field.range.min && Number(field.default) <= field.range.max, field.name);
    }
  }
});

test('the flags the README names exist', () => {
  const flags = new Set(configFields.map((field) => field.flag));
  for (const flag of ['headless', 'data', 'port', 'bootstrap', 'swarm', 'rounds']) assert.ok(flags.has(flag), flag);
});

test('flag beats environment beats file beats default, and each source is told', () => {
  const file = fileOf(JSON.stringify({ groupSize: 3, rounds: 5, learningRate: 1e-4, bootstrap: ['127.0.0.1:1'] }));
  const { config, sources } = loadConfig({
    file,
    env: { WAGGLE_GROUP_SIZE: '4', WAGGLE_ROUNDS: '6', WAGGLE_TOP_P: '' },
    flags: { 'group-size': '7', swarm: 'lab', headless: true },
  });
  assert.deepEqual(
    [config.groupSize, config.rounds, config.learningRate, config.swarmName, config.headless, config.topP],
    [7, 6, 1e-4, 'lab', true, 1],
  );
  assert.deepEqual(config.bootstrap, ['127.0.0.1:1']);
  assert.deepEqual(
    [sources.groupSize, sources.rounds, sources.learningRate, sources.topP],
    ['flag', 'environment', 'file', 'default'],
  );
});

test('flags are understood by flag, camelCase and field name; lists by comma', () => {
  assert.equal(loadConfig({ flags: { maxNewTokens: '9' } }).config.maxNewTokens, 9);
  assert.equal(loadConfig({ flags: { 'max-new-tokens': 9 } }).config.maxNewTokens, 9);
  assert.equal(loadConfig({ flags: { swarmName: 'a' } }).config.swarmName, 'a');
  assert.deepEqual(loadConfig({ flags: { bootstrap: 'a.example:1, [::1]:65535' } }).config.bootstrap, [
    'a.example:1',
    '[::1]:65535',
  ]);
  assert.deepEqual(loadConfig({ flags: { bootstrap: ['a:1', 'b:2,c:3'] } }).config.bootstrap, ['a:1', 'b:2', 'c:3']);
  for (const word of ['0', 'off', 'No', 'FALSE'])
    assert.equal(loadConfig({ env: { WAGGLE_SWARM_ENABLED: word } }).config.swarmEnabled, false);
  assert.equal(loadConfig({ flags: { config: 'x', json: true } }).config.rounds, 0);
});

test('every field round-trips its default through its environment variable', () => {
  for (const field of configFields) {
    const text = field.type === 'list' ? '' : JSON.stringify(field.default).replaceAll('"', '');
    const { config } = loadConfig({ env: { [field.env]: text } });
    if (field.name !== 'dataDirectory') assert.deepEqual(config[field.name], field.default, field.name);
  }
});

test('just outside each range is refused, just inside taken', () => {
  for (const field of configFields) {
    if (field.range === null) continue;
    const step = field.type === 'integer' ? 1 : Math.max(1e-12, field.range.max * 1e-6);
    for (const bad of [field.range.min - step, field.range.max + step]) {
      const error = failure({ env: { [field.env]: String(bad) } });
      assert.equal(error.problems[0]?.kind, 'outOfRange');
      assert.equal(error.problems[0].from, field.env);
      assert.match(error.message, new RegExp(`${field.name} must be .* from`));
    }
    for (const good of [field.range.min, field.range.max])
      assert.ok(configShape[field.name].safeParse(good).success, `${field.name} ${good}`);
  }
});

test('several problems at once are all listed, with file, field and value', () => {
  const file = fileOf(
    JSON.stringify({ groupSize: 1, learningRat: 1, provider: 'tpu', headless: 'yes', bootstrap: 'a:1', rounds: null }),
  );
  const error = failure({ file, flags: { port: '70000' }, env: { WAGGLE_TEMPERATURE: 'warm' } });
  const kinds = Object.fromEntries(error.problems.map((problem) => [problem.field, problem.kind]));
  assert.deepEqual(kinds, {
    groupSize: 'outOfRange',
    learningRat: 'unknownField',
    provider: 'badValue',
    headless: 'wrongType',
    bootstrap: 'wrongType',
    rounds: 'wrongType',
    port: 'outOfRange',
    temperature: 'wrongType',
  });
  assert.match(error.message, /8 problems/);
  assert.match(error.message, /must be one of auto, cpu, webgpu, cuda, dml, coreml, not "tpu"/);
  assert.match(error.message, /--port: port must be a whole number from 0 to 65535, not 70000/);
  assert.match(error.fix, /Write learningRate in place of "learningRat"/);
  assert.equal(error.file, file);
  assert.ok(error.problems.filter((problem) => problem.from === file).length === 6);
});

test('a broken value in the file is told even where a flag overrides it', () => {
  const error = failure({ file: fileOf('{"rounds": "many"}'), flags: { rounds: '3' } });
  assert.equal(error.problems[0]?.field, 'rounds');
});

test('files that cannot be read or are no JSON object', () => {
  assert.match(failure({ file: join(folder, 'absent.json') }).message, /absent\.json: does not exist/);
  assert.equal(failure({ file: folder }).problems[0]?.kind, 'unreadableFile');
  const broken = failure({ file: fileOf('{\n  "rounds": 1,\n  "swarmSecret": "tell nobody"\n  "port": 1 }') });
  assert.match(broken.message, /not valid JSON \(line 4, column 3\)/);
  assert.ok(!broken.message.includes('tell nobody'));
  for (const content of ['[]', 'null', '3', '"x"', '', '{"rounds": 1', '\u0000\u0001']) {
    assert.equal(failure({ file: fileOf(content) }).problems[0]?.kind, 'notJson', content);
  }
  assert.match(failure({ file: fileOf(' '.repeat(1024 * 1024 + 1)) }).message, /larger than/);
  assert.equal(failure({ file: fileOf('{"__proto__": {"rounds": 3}}') }).problems[0]?.kind, 'unknownField');
  assert.equal(loadConfig({ file: fileOf('\uFEFF{"rounds": 2}') }).config.rounds, 2);
  assert.equal(loadConfig({ env: { WAGGLE_CONFIG: fileOf('{"rounds": 4}') } }).config.rounds, 4);
});

test('the secret never gets into a message, nor into the public configuration', () => {
  const error = failure({ env: { WAGGLE_SWARM_SECRET: 'shorty7' } });
  assert.ok(
    !JSON.stringify(error.problems).includes('shorty7') &&
      !error.message.includes('shorty7') &&
      !error.fix.includes('shorty7'),
  );
  assert.match(error.message, /swarmSecret must be empty or 8 to 200 characters/);
  const { config } = loadConfig({ env: { WAGGLE_SWARM_SECRET: 'long enough' } });
  assert.ok(!JSON.stringify(publicConfig(config)).includes('long enough'));
  assert.ok('swarmName' in publicConfig(config) && !('swarmSecret' in publicConfig(config)));
  assert.deepEqual(secretValues(config), ['long enough']);
});

test('rules between fields', () => {
  const conflict = (flags: Record<string, unknown>) =>
    failure({ flags }).problems.map(({ kind, field, from }) => [kind, field, from]);
  assert.deepEqual(conflict({ ownGroups: 0, peerGroups: 0 }), [['conflict', 'ownGroups', '--own-groups']]);
  assert.deepEqual(conflict({ ownGroups: 0, swarmEnabled: false }), [['conflict', 'ownGroups', '--own-groups']]);
  const adaptive = { sharing: 'adaptive' };
  assert.deepEqual(conflict({ ...adaptive, benefitPercent: 0 }), [['conflict', 'sharing', '--sharing']]);
  assert.deepEqual(conflict({ ...adaptive, ownGroups: 1, peerGroups: 0 }), [['conflict', 'sharing', '--sharing']]);
  for (const role of ['generates', 'trains']) {
    assert.deepEqual(conflict({ role, swarmEnabled: false }), [['conflict', 'swarmEnabled', '--swarm-enabled']]);
    assert.deepEqual(conflict({ role, sharing: 'adaptive' }), [['conflict', 'sharing', '--sharing']]);
    assert.deepEqual(conflict({ role, method: 'bridge' }), [['conflict', 'method', '--method']]);
  }
  const mute = { role: 'generates', sharedGroupsPerRound: 0 };
  assert.deepEqual(conflict(mute), [['conflict', 'sharedGroupsPerRound', '--shared-groups-per-round']]);
  assert.deepEqual(conflict({ role: 'trains', peerGroups: 0 }), [['conflict', 'peerGroups', '--peer-groups']]);
  assert.deepEqual(conflict({ role: 'trains', maxSurpriseGap: 1 }), [
    ['conflict', 'maxSurpriseGap', '--max-surprise-gap'],
  ]);
  for (const fine of [
    { role: 'trains', sharedGroupsPerRound: 0 },
    { role: 'generates', peerGroups: 0 },
  ])
    assert.equal(loadConfig({ flags: fine, env: {} }).config.role, fine.role);
  assert.equal(loadConfig({ env: { WAGGLE_ROLE: 'trains' } }).config.role, 'trains');
  assert.equal(loadConfig({ flags: { ...adaptive, ownGroups: 2, peerGroups: 0 } }).config.sharing, 'adaptive');
  assert.equal(loadConfig({ flags: { ownGroups: 0 } }).config.ownGroups, 0);
  assert.equal(loadConfig({ flags: { maxNewTokens: 5000 } }).config.maxNewTokens, 5000, 'it has a pass of its own');
});

test('bootstrap addresses', () => {
  for (const bad of ['host', 'host:', ':1', 'host:0', 'host:65536', 'a b:1', 'host:1:2', 'http://h:1', '[zz]:1'])
    assert.equal(failure({ flags: { bootstrap: bad } }).problems[0]?.kind, 'badValue', bad);
  assert.deepEqual(parseHostPort('127.0.0.1:49737'), { host: '127.0.0.1', port: 49737 });
  assert.deepEqual(parseHostPort('[::1]:80'), { host: '::1', port: 80 });
});

test('control characters are refused in texts', () => {
  for (const bad of ['a\nb', '\u0000', '\u001b[31m'])
    assert.equal(failure({ flags: { displayName: bad } }).problems[0]?.kind, 'badValue');
});

test('paths: a file is relative to itself, a flag to the working folder, ~ is home', () => {
  const surroundings = { home: '/home/ann', workingDirectory: '/work/here', platform: 'linux' as const };
  const file = fileOf('{"dataDirectory": "kept", "policyDirectory": "~/model"}');
  const { config } = loadConfig({ file, surroundings });
  assert.deepEqual([config.dataDirectory, config.policyDirectory], [join(folder, 'kept'), '/home/ann/model']);
  assert.equal(loadConfig({ flags: { data: 'kept' }, surroundings }).config.dataDirectory, '/work/here/kept');
  assert.equal(loadConfig({ surroundings }).config.dataDirectory, '/home/ann/.local/share/waggle');
  assert.equal(loadConfig({ surroundings }).config.policyDirectory, '');
});

test('the default data folder of each system', () => {
  const of = (platform: NodeJS.Platform, env: Record<string, string> = {}) =>
    defaultDataDirectory({ platform, home: '/h', env });
  assert.equal(of('linux', { XDG_DATA_HOME: '/x' }), '/x/waggle');
  assert.equal(of('linux', { XDG_DATA_HOME: 'relative' }), '/h/.local/share/waggle');
  assert.equal(of('darwin'), '/h/Library/Application Support/Waggle');
  assert.equal(
    defaultDataDirectory({ platform: 'win32', home: 'C:\\h', env: { LOCALAPPDATA: 'C:\\h\\L' } }),
    'C:\\h\\L\\Waggle',
  );
});

test('a misspelt variable is a warning, a foreign one is nobody’s business', () => {
  const { warnings } = loadConfig({ env: { WAGGLE_ROUNDZ: '1', WAGGLE_CHROMIUM_PATH: 'x', PATH: 'y' } });
  assert.deepEqual(warnings, ['The environment variable WAGGLE_ROUNDZ is no setting: did you mean WAGGLE_ROUNDS?']);
});

test('any JSON object as a file gives a configuration or a ConfigError, never another error', () => {
  const names = fc.constantFrom(
    ...configFields.map((field) => field.name as string),
    'other',
    '__proto__',
    'constructor',
  );
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue()), (content) => {
      try {
        const { config } = loadConfig({ file: fileOf(JSON.stringify(content)) });
        assert.ok(configSchema.safeParse(config).success);
      } catch (error) {
        assert.ok(error instanceof ConfigError);
        assert.ok(error.problems.length > 0);
      }
    }),
    { numRuns: 200 },
  );
});
