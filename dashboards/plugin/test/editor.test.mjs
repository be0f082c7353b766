// The editors in a real Chromium, with the real @grafana/ui.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

import { page as bundle } from '../tools/page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chromium = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));

const work = mkdtempSync(join(tmpdir(), 'plugin-page-'));
let server, browser, page;
const wrong = [];

before(async () => {
  assert.ok(chromium, 'there is no Chromium: install Debian\'s package chromium, or name one as CHROMIUM');
  await bundle(root, work);
  server = createServer((request, response) => {
    const name = request.url === '/' ? 'index.html' : request.url.slice(1);
    if (name === 'index.html') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end('<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="page.css"><body></body><script src="page.js"></script>');
    } else if (name === 'page.js' || name === 'page.css') {
      response.setHeader('Content-Type', name.endsWith('.js') ? 'text/javascript; charset=utf-8' : 'text/css');
      response.end(readFileSync(join(work, name)));
    } else if (name.endsWith('.svg')) {
      response.setHeader('Content-Type', 'image/svg+xml'); // Grafana's icons, which are not in the package
      response.end('<svg xmlns="http://www.w3.org/2000/svg"/>');
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'], protocolTimeout: 120000 });
  page = await browser.newPage();
  page.setDefaultTimeout(10000);
  await page.setViewport({ width: 1400, height: 1000 });
  page.on('pageerror', (error) => wrong.push(String(error)));
  await page.goto(`http://127.0.0.1:${server.address().port}/`, { timeout: 60000 });
  await page.waitForFunction('window.show');
});

after(async () => {
  await browser?.close();
  server?.close();
  rmSync(work, { recursive: true, force: true });
  assert.deepEqual(wrong, [], 'errors in the page');
});

const show = async (name, initial, failing) => {
  await page.evaluate((...args) => window.show(...args), name, initial, failing ?? false);
  await page.waitForSelector('#app input, #app textarea');
};
const shown = () => page.evaluate(() => JSON.parse(JSON.stringify(window.shown)));
const last = async () => (await shown()).changes.at(-1);
const has = async (id) => (await page.$('#' + id)) !== null;
const fields = () => page.$$eval('#app input[id]', (all) => all.map((e) => e.id).filter((id) => !id.startsWith('react-select')));

// choose types into one of Grafana's selects and takes the first that is offered.
async function choose(id, text) {
  const before = (await shown()).changes.length;
  await page.focus('#' + id);
  await page.type('#' + id, text);
  await page.waitForFunction((text) => [...document.querySelectorAll('[role="option"]')].some((o) => o.textContent.toLowerCase().includes(text.toLowerCase())), {}, text);
  await page.keyboard.press('Enter');
  await page.waitForFunction((n) => window.shown.changes.length > n, {}, before);
}

const write = async (id, text) => {
  await page.click('#' + id, { count: 3 });
  await page.type('#' + id, text);
};

test('each query type shows its fields, and only those', async () => {
  const want = {
    Capacity: ['by', 'class', 'format', 'query-type', 'zone'],
    Forecast: ['format', 'horizon', 'query-type', 'series', 'tier', 'zone'],
    Headroom: ['flavor', 'format', 'query-type', 'zone'],
    'Rebalance plans': ['format', 'plan', 'query-type'],
    Usage: ['format', 'project', 'query-type'],
    Events: ['kinds', 'maxEvents', 'project', 'query-type', 'resource', 'severities', 'show', 'sources'],
  };
  const type = { Capacity: 'capacity', Forecast: 'forecast', Headroom: 'headroom', 'Rebalance plans': 'plans', Usage: 'usage', Events: 'events' };
  await show('query', { refId: 'A', queryType: 'events' });
  for (const [label, ids] of Object.entries(want)) {
    await choose('query-type', label);
    const query = await last();
    assert.equal(query.queryType, type[label]);
    assert.equal(query.refId, 'A');
    assert.deepEqual((await fields()).sort(), ids, label);
  }
  assert.equal((await shown()).runs, 6, 'each change of the type runs the query');
});

test('another query type forgets what it has no field for', async () => {
  await show('query', { refId: 'B', hide: false, datasource: { uid: 'u' }, queryType: 'capacity', format: 'number', value: 'free', by: 'zone', zone: 'az-a', class: 'VCPU' });
  await choose('query-type', 'Headroom');
  assert.deepEqual(await last(), { refId: 'B', hide: false, datasource: { uid: 'u' }, queryType: 'headroom', format: 'table', zone: 'az-a' });
  await choose('query-type', 'Events');
  assert.deepEqual(await last(), { refId: 'B', hide: false, datasource: { uid: 'u' }, queryType: 'events', format: 'table' });
});

test('fields change the query', async () => {
  await show('query', { refId: 'A', queryType: 'forecast' });
  await choose('tier', 'sas10k');
  assert.deepEqual(await last(), { refId: 'A', queryType: 'forecast', tier: 'sas10k' });
  await choose('tier', 'nvme');
  assert.equal((await last()).tier, 'sas10k,nvme', 'several tiers have commas between them');
  await write('horizon', '26w');
  assert.equal((await last()).horizon, '26w');
  const { runs } = await shown();
  await page.focus('#query-type');
  await page.waitForFunction((n) => window.shown.runs > n, {}, runs);
  await choose('format', 'Number');
  await choose('value', 'days_p50');
  assert.deepEqual(await last(), { refId: 'A', queryType: 'forecast', tier: 'sas10k,nvme', horizon: '26w', format: 'number', value: 'days_p50' });
  await choose('format', 'Table');
  assert.equal('value' in (await last()), false, 'a table has no number to choose');
});

test('a variable can be written where names are offered', async () => {
  await show('query', { refId: 'A', queryType: 'headroom' });
  await choose('zone', '$zone');
  assert.equal((await last()).zone, '$zone');
});

test('a limit is of a series, a resource class of a zone', async () => {
  await show('query', { refId: 'A', queryType: 'forecast' });
  assert.equal(await has('limit'), false);
  await write('series', 'up');
  await write('limit', '1e3');
  assert.deepEqual(await last(), { refId: 'A', queryType: 'forecast', series: 'up', limit: '1e3' });
  await show('query', { refId: 'A', queryType: 'forecast', zone: 'az-a' });
  assert.equal(await has('class'), true);
});

test('capacity of tiers has other numbers than that of hosts', async () => {
  await show('query', { refId: 'A', queryType: 'capacity', format: 'number', by: 'zone', value: 'free', class: 'VCPU' });
  await choose('by', 'tier');
  assert.deepEqual(await last(), { refId: 'A', queryType: 'capacity', format: 'number', by: 'tier' });
  await choose('value', 'provisioned');
  assert.equal((await last()).value, 'provisioned');
});

test('events: what is shown, severities and how many', async () => {
  await show('query', { refId: 'A', queryType: 'events' });
  await choose('severities', 'critical');
  await write('maxEvents', '50');
  await write('kinds', 'osd.down');
  await choose('show', 'Maintenance');
  assert.deepEqual(await last(), { refId: 'A', queryType: 'events', severities: ['critical'], maxEvents: 50, kinds: 'osd.down', show: ['events', 'maintenance'] });
  await show('query', { refId: 'A', queryType: 'events', show: ['dates'] });
  assert.deepEqual((await fields()).sort(), ['query-type', 'show']);
});

test('an annotation is of events', async () => {
  await show('annotation', { refId: 'Anno' });
  assert.equal(await has('query-type'), false);
  await choose('show', 'Dates');
  assert.deepEqual(await last(), { refId: 'Anno', queryType: 'events', show: ['events', 'dates'] });
});

test('names come from the planner, and its error is shown', async () => {
  await show('query', { refId: 'A', queryType: 'usage' });
  await page.waitForFunction(() => window.shown.asked.includes('projects'));
  await choose('project', 'acme');
  assert.equal((await last()).project, 'p1', 'a project is chosen by name and asked for by id');
  await show('query', { refId: 'A', queryType: 'usage', project: 'p9' }, true);
  await page.waitForFunction(() => document.body.textContent.includes('GET http://planner/api/v1/projects failed'));
  assert.ok((await page.$eval('#app', (e) => e.textContent)).includes('p9'), 'what was chosen stays');
});

test('a variable lists names', async () => {
  await show('variable', { refId: '' });
  await choose('variable-of', 'Storage tiers');
  assert.deepEqual(await last(), { refId: 'names', of: 'tiers' });
  assert.equal((await shown()).runs, 1);
});

const settings = (more) => ({ url: '', basicAuth: false, basicAuthUser: '', jsonData: {}, secureJsonFields: {}, secureJsonData: {}, ...more });

test('settings: URL, timeout and the way to authenticate', async () => {
  await show('config', settings());
  await write('url', 'http://p');
  assert.equal((await last()).url, 'http://p');
  await write('timeout', '60');
  assert.equal((await last()).jsonData.timeoutSeconds, 60);
  for (const [label, auth, basic, ids] of [
    ['User and password', 'basic', true, ['user', 'basicAuthPassword']],
    ['Token', 'bearer', false, ['bearerToken']],
    ['Keystone', 'keystone', false, ['keystone-url', 'keystone-user', 'keystonePassword', 'keystone-project']],
    ['None', 'none', false, []],
  ]) {
    await choose('auth', label);
    const { basicAuth, jsonData } = await last();
    assert.deepEqual([jsonData.auth, basicAuth], [auth, basic]);
    for (const id of ids) {
      assert.ok(await has(id), `${auth} has ${id}`);
    }
    for (const id of ['user', 'basicAuthPassword', 'bearerToken', 'keystone-url', 'keystonePassword'].filter((id) => !ids.includes(id))) {
      assert.ok(!(await has(id)), `${auth} has no ${id}`);
    }
  }
});

test('secrets are masked, kept apart, and can be reset', async () => {
  await show('config', settings({ jsonData: { auth: 'bearer' } }));
  assert.equal(await page.$eval('#bearerToken', (e) => e.type), 'password');
  await page.type('#bearerToken', 's3cret');
  let changed = await last();
  assert.equal(changed.secureJsonData.bearerToken, 's3cret');
  assert.equal(JSON.stringify(changed.jsonData).includes('s3cret'), false);

  for (const [auth, name] of [
    ['basic', 'basicAuthPassword'],
    ['bearer', 'bearerToken'],
    ['keystone', 'keystonePassword'],
  ]) {
    await show('config', settings({ basicAuth: auth === 'basic', jsonData: { auth }, secureJsonFields: { [name]: true } }));
    assert.deepEqual(await page.$eval('#' + name, (e) => [e.disabled, e.value]), [true, 'configured'], name + ' is set and cannot be seen');
    await page.evaluate((id) => [...document.getElementById(id).closest('#app').querySelectorAll('button')].find((b) => b.textContent === 'Reset').click(), name);
    await page.waitForFunction((id) => !document.getElementById(id).disabled, {}, name);
    changed = await last();
    assert.deepEqual([changed.secureJsonFields[name], changed.secureJsonData[name]], [false, '']);
    await page.type('#' + name, 'new');
    assert.equal((await last()).secureJsonData[name], 'new');
  }
});

test('settings of Keystone', async () => {
  await show('config', settings({ jsonData: { auth: 'keystone' } }));
  await write('keystone-url', 'http://k');
  await write('keystone-user', 'ann');
  await page.evaluate(() => document.getElementById('keystone-system').click());
  await page.waitForFunction(() => !document.getElementById('keystone-project'));
  assert.deepEqual((await last()).jsonData.keystone, { url: 'http://k', user: 'ann', system: true });
  await choose('keystone-method', 'Application');
  await write('keystone-applicationCredentialId', 'cred');
  await write('applicationCredentialSecret', 'x');
  const { jsonData, secureJsonData } = await last();
  assert.deepEqual([jsonData.keystone.method, jsonData.keystone.applicationCredentialId, secureJsonData.applicationCredentialSecret], ['application_credential', 'cred', 'x']);
});

test('a CA certificate has a field of its own', async () => {
  await show('config', settings());
  assert.equal(await has('tlsCACert'), false);
  await page.evaluate(() => document.getElementById('own-ca').click());
  await page.waitForSelector('#tlsCACert');
  await page.type('#tlsCACert', 'PEM');
  assert.deepEqual([(await last()).secureJsonData.tlsCACert, (await last()).jsonData.tlsAuthWithCACert], ['PEM', true]);
});
