// Bundles a test page with the real @grafana/ui: node tools/page.mjs DIRECTORY.
import { join } from 'node:path';
import { build } from 'esbuild';

export async function page(root, to) {
  await build({
    absWorkingDir: root,
    entryPoints: ['test/page.tsx'],
    outfile: join(to, 'page.js'),
    bundle: true,
    format: 'iife',
    target: 'es2022',
    platform: 'browser',
    // Node's way of importing CommonJS hides the default of these.
    alias: { 'react-use/lib': 'react-use/esm' },
    define: { 'process.env.NODE_ENV': '"development"', global: 'window', process: '{"env":{}}' },
    loader: { '.svg': 'dataurl', '.png': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl', '.gif': 'dataurl' },
    logLevel: 'error',
  });
}
