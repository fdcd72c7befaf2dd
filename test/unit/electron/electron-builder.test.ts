/** electron-builder.yml against electron-builder's own schema, its own file matcher, and the files that are really there. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';

interface BuilderConfig {
  icon: string;
  electronVersion: string;
  files: string[];
  asarUnpack: string[];
  npmRebuild: boolean;
  electronFuses: Record<string, boolean>;
  protocols: { schemes: string[] }[];
  nsis: Record<string, boolean>;
  win: { target: Target[]; files: string[] };
  mac: { target: Target[]; files: string[] };
  linux: { target: Target[]; files: string[] };
}
interface Target {
  target: string;
  arch: string[];
}
interface Matcher {
  createFilter(): (file: string, stat: { isDirectory(): boolean }) => boolean;
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
// What comes with electron-builder is asked for from there; the project itself depends on electron-builder only.
const ofProject = createRequire(import.meta.url);
const ofBuilder = createRequire(createRequire(ofProject.resolve('electron-builder')).resolve('app-builder-lib'));
const { load } = ofBuilder('js-yaml') as { load: (text: string) => unknown };
const builderFolder = join(root, 'node_modules', 'app-builder-lib');
const { FileMatcher } = ofBuilder(join(builderFolder, 'out', 'fileMatcher.js')) as {
  FileMatcher: new (from: string, to: string, expand: (pattern: string) => string, patterns: string[]) => Matcher;
};

const config = load(readFileSync(join(root, 'electron-builder.yml'), 'utf8')) as BuilderConfig;

test('the file satisfies the schema of the installed electron-builder, which refuses unknown keys', () => {
  const schema = JSON.parse(readFileSync(join(builderFolder, 'scheme.json'), 'utf8')) as object;
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  assert.ok(validate(config), JSON.stringify(validate.errors, null, 1));
  assert.equal(validate({ ...config, npmRebuilt: true }), false);
});

test('the fuses are those of the security list', () => {
  assert.deepEqual(config.electronFuses, {
    runAsNode: false,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    enableCookieEncryption: true,
    enableEmbeddedAsarIntegrityValidation: true,
    onlyLoadAppFromAsar: true,
    grantFileProtocolExtraPrivileges: false,
  });
  assert.equal(config.npmRebuild, false);
  for (const pattern of ['**/*.node', '**/*.dll', '**/*.so*', '**/*.dylib'])
    assert.ok(config.asarUnpack.includes(pattern));
});

test('versions, targets and the protocol agree with the project', () => {
  const pack = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  assert.equal(config.electronVersion, pack.devDependencies['electron']);
  const targets = (list: Target[]) => list.map(({ target }) => target);
  assert.deepEqual(targets(config.win.target), ['nsis']);
  assert.deepEqual(targets(config.mac.target), ['dmg', 'zip']);
  assert.deepEqual(targets(config.linux.target), ['AppImage', 'deb', 'rpm']);
  assert.deepEqual([config.nsis['perMachine'], config.nsis['allowElevation']], [false, false]);
  assert.deepEqual(config.protocols[0]?.schemes, ['waggle']);
});

test('what the file names is there: the icon, and the source of every pattern', () => {
  assert.ok(existsSync(join(root, config.icon)), config.icon);
  const patterns = [
    ...config.files,
    ...config.win.files,
    ...config.mac.files,
    ...config.linux.files,
    ...config.asarUnpack,
  ];
  for (const pattern of patterns) {
    // The part before the first wildcard; what the build makes is checked at its source.
    const [fixed = ''] = pattern
      .replace(/^!/, '')
      .replace(/^dist\/(src-main|native-models)/, '$1')
      .split(/[*{$]|\/!\(/);
    const path = fixed.replace(/^dist\/renderer/, 'src-renderer').replace(/\/[^/]*$/, '');
    assert.ok(existsSync(join(root, path)), `${pattern} names ${path}`);
  }
});

/** Every file of the native packages, relative to the root. */
function nativeFiles(): string[] {
  return ['onnxruntime-node', 'sodium-native', 'udx-native'].flatMap((name) => {
    const base = join('node_modules', name);
    const all = readdirSync(join(root, base), { recursive: true, encoding: 'utf8' });
    return all.map((file) => join(base, file)).filter((file) => statSync(join(root, file)).isFile());
  });
}

const systems = [
  { system: 'win', platform: 'win32', maxMb: 110 },
  { system: 'mac', platform: 'darwin', maxMb: 110 },
  { system: 'linux', platform: 'linux', maxMb: 110 },
] as const;
for (const { system, platform, maxMb } of systems) {
  for (const arch of new Set(config[system].target.flatMap((target) => target.arch))) {
    test(`the ${system} ${arch} package holds its own native parts and no others`, () => {
      const patterns = ['**/*', ...config.files.filter((pattern) => pattern.startsWith('!')), ...config[system].files];
      const matcher = new FileMatcher(root, join(root, 'out'), (it) => it.replaceAll('${arch}', arch), patterns);
      const filter = matcher.createFilter();
      const file = { isDirectory: () => false };
      const kept = nativeFiles().filter((name) => filter(join(root, name), file));
      const native = kept.filter((name) => /\.(node|dll|dylib|bare)$|\.so(\.\d+)*$/.test(name));
      for (const name of native)
        assert.ok(name.includes(`${platform}/${arch}/`) || name.includes(`${platform}-${arch}/`), name);
      for (const part of ['onnxruntime_binding', 'sodium-native', 'udx-native']) {
        assert.equal(native.filter((name) => name.endsWith(`${part}.node`)).length, 1, part);
      }
      const megabytes = kept.reduce((sum, name) => sum + statSync(join(root, name)).size, 0) / 1e6;
      assert.ok(megabytes < maxMb, `${megabytes.toFixed(0)} MB`);
    });
  }
}
