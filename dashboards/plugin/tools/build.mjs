// Builds the front end: node tools/build.mjs DIRECTORY. The same source gives the same bytes.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// What Grafana itself has and hands to plugins.
const shared = ['react', 'rxjs', '@grafana/data', '@grafana/runtime', '@grafana/ui'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const to = process.argv[2] ?? 'dist';

const made = await build({
  absWorkingDir: root,
  entryPoints: ['src/module.ts'],
  bundle: true,
  write: false,
  format: 'cjs',
  target: 'es2021',
  external: shared,
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
});
// Grafana loads AMD, which esbuild does not write: CommonJS in a coat.
const code = made.outputFiles[0].text;
const names = JSON.stringify(shared);
const module = `define(${names},function(){var names=${names},given=arguments,module={exports:{}},exports=module.exports;function require(name){return given[names.indexOf(name)]}\n${code}return module.exports});\n`;

mkdirSync(to, { recursive: true });
writeFileSync(join(to, 'module.js'), module);
for (const file of ['plugin.json', 'img', 'dashboards']) {
  cpSync(join(root, 'src', file), join(to, file), { recursive: true });
}
cpSync(join(root, 'README.md'), join(to, 'README.md'));
