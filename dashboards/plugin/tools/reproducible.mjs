// Builds twice, from two directories and with two clocks, and compares every byte.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const work = mkdtempSync(join(tmpdir(), 'plugin-'));

function files(directory) {
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .flatMap((path) => (statSync(path).isDirectory() ? files(path) : [path]))
    .sort();
}

function sums(directory) {
  return files(directory).map((path) => createHash('sha256').update(readFileSync(path)).digest('hex') + '  ' + relative(directory, path));
}

try {
  // Another place, where the same packages are.
  const other = join(work, 'a much longer name', 'plugin');
  for (const name of ['src', 'tools', 'package.json', 'tsconfig.json', 'README.md']) {
    cpSync(join(root, name), join(other, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(other, 'node_modules'));
  const made = [root, other].map((from, i) => {
    const to = join(work, 'dist' + i);
    execFileSync(process.execPath, [join(from, 'tools', 'build.mjs'), to], { cwd: from, stdio: 'inherit', env: { ...process.env, TZ: i ? 'Asia/Tokyo' : 'UTC', LANG: 'C' } });
    return sums(to).join('\n');
  });
  if (made[0] !== made[1]) {
    console.error('two builds of the front end differ:\n' + made.join('\n\n'));
    process.exit(1);
  }
  console.log('two builds of the front end are the same:\n' + made[0]);
} finally {
  rmSync(work, { recursive: true, force: true });
}
