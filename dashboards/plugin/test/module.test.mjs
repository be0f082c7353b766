// What is built, as Grafana loads it, and whether both ends know the same words.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8'));

test('module.js is an AMD module with the plugin', () => {
  const to = mkdtempSync(join(tmpdir(), 'plugin-module-'));
  try {
    execFileSync(process.execPath, [join(root, 'tools', 'build.mjs'), to]);
    class DataSourcePlugin {
      constructor(source) {
        this.source = source;
      }
      setConfigEditor(editor) {
        this.config = editor;
        return this;
      }
      setQueryEditor(editor) {
        this.query = editor;
        return this;
      }
    }
    class DataSourceWithBackend {}
    const given = {
      '@grafana/data': { DataSourcePlugin, CustomVariableSupport: class {}, CoreApp: { UnifiedAlerting: 'unified-alerting', CloudAlerting: 'cloud-alerting' } },
      '@grafana/runtime': { DataSourceWithBackend, getTemplateSrv: () => ({ replace: (text, _vars, format) => text.replace('$tier', format === 'csv' ? 'a,b' : '{a,b}') }) },
    };
    let plugin;
    const define = (names, make) => ({ plugin } = make(...names.map((name) => given[name] ?? {})));
    runInNewContext(readFileSync(join(to, 'module.js'), 'utf8'), { define });
    assert.equal(typeof plugin.config, 'function');
    assert.equal(typeof plugin.query, 'function');

    const source = new plugin.source({});
    const plain = (value) => JSON.parse(JSON.stringify(value)); // objects of the other context
    assert.equal(typeof source.annotations.QueryEditor, 'function');
    assert.equal(typeof source.variables.editor, 'function');
    assert.deepEqual(plain(source.getDefaultQuery('unified-alerting')), { queryType: 'forecast', format: 'number' });
    assert.equal(source.filterQuery({ queryType: 'forecast' }), false);
    assert.equal(source.filterQuery({ queryType: 'forecast', tier: 'nvme' }), true);
    assert.equal(source.filterQuery({ queryType: 'forecast', format: 'table' }), true);
    assert.equal(source.filterQuery({ queryType: 'events' }), true);
    assert.deepEqual(plain(source.applyTemplateVariables({ refId: 'A', tier: '$tier', series: 'x{tier=~"$tier"}' }, {})), { refId: 'A', tier: 'a,b', series: 'x{tier=~"{a,b}"}' });
  } finally {
    rmSync(to, { recursive: true, force: true });
  }
});

test('the editor offers what the back end takes', async () => {
  const made = await build({ absWorkingDir: root, entryPoints: ['src/fields.ts'], bundle: true, format: 'esm', write: false });
  const { kinds, shows, severities } = await import('data:text/javascript;base64,' + Buffer.from(made.outputFiles[0].text).toString('base64'));
  const choices = read('backend', 'testdata', 'choices.json');
  const values = (all) => all.map((option) => option.value);
  assert.deepEqual(values(kinds).sort(), Object.keys(choices.types).sort());
  for (const kind of kinds) {
    assert.deepEqual({ formats: kind.formats, values: kind.values({}) }, { formats: choices.types[kind.value].formats, values: choices.types[kind.value].values ?? [] }, kind.value);
  }
  const capacity = kinds.find((kind) => kind.value === 'capacity');
  assert.deepEqual(capacity.values({ by: 'tier' }), choices.tierValues);
  assert.deepEqual(values(capacity.fields({}).find((field) => field.name === 'by').options), choices.views);
  const usage = kinds.find((kind) => kind.value === 'usage');
  assert.deepEqual(values(usage.fields({ format: 'time_series' }).find((field) => field.name === 'group').options), choices.groups);
  assert.deepEqual(values(shows), choices.shows);
  assert.deepEqual(values(severities), choices.severities);
  for (const kind of kinds) {
    for (const field of kind.fields({ zone: 'x', series: 'x', format: 'time_series' })) {
      assert.ok(!field.of || choices.names.includes(field.of), field.of);
    }
  }
});

test('plugin.json and package.json name the same plugin', () => {
  const plugin = read('src', 'plugin.json');
  assert.equal(plugin.id, read('package.json').name);
  assert.equal(plugin.info.version, read('package.json').version);
  assert.match(readFileSync(join(root, 'backend', 'datasource.go'), 'utf8'), new RegExp(`ID = "${plugin.id}"`));
});

test('the dashboard asks what the back end takes', () => {
  const choices = read('backend', 'testdata', 'choices.json');
  const { panels, annotations } = read('src', 'dashboards', 'planner.json');
  for (const { refId, queryType, format } of [...panels.flatMap((panel) => panel.targets), ...annotations.list.map((a) => a.target)]) {
    assert.ok(refId && choices.types[queryType], queryType);
    assert.ok(!format || choices.types[queryType].formats.includes(format), format);
  }
});

test('the lock file names packages, versions and checksums, no place', () => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  assert.ok(!text.includes('"resolved"'), 'npm install with the .npmrc beside it writes none');
  for (const [name, entry] of Object.entries(JSON.parse(text).packages)) {
    assert.ok(name === '' || (entry.version && entry.integrity), name);
  }
});
