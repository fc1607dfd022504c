// jsforce (npm) against the sandbox: logins, queries, rows, Bulk 2.0, Chatter, and what is named as not emulated.
// Each check prints one line of JSON, as checks.py does for the Python clients; run.py makes its table of them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.env.NODE_PACKAGES, 'package.json'));
const { Connection, OAuth2 } = require('jsforce');

const INFO = JSON.parse(readFileSync(process.env.SANDBOX_INFO, 'utf8'));
const ORG = INFO.salesforce;
const NOW = new Date(INFO.world.now);
const HOUR = 3_600_000; // milliseconds
const KEY = 'Leakwatch_Key__c';
const HARD_TEXT = 'Çağrı Işık\nikinci satır, "tırnak" ve \'kesme\' 💥';

function say(check, outcome, why = '') {
  console.log(JSON.stringify({ check, outcome, why: String(why).slice(0, 600) }));
}

function told(error) {
  return [error?.name, error?.errorCode, error?.message, JSON.stringify(error?.data ?? '')].filter(Boolean).join(' ');
}

/** The calls go through, and what they give holds. */
async function works(check, call) {
  try {
    await call();
    say(check, 'passed');
  } catch (error) {
    say(check, 'failed', told(error));
  }
}

/** The call fails in the client, with all these words in what it throws. */
async function refused(check, words, call, outcome = 'passed') {
  try {
    await call();
  } catch (error) {
    const missing = words.filter((word) => !told(error).includes(word));
    say(check, missing.length ? 'failed' : outcome, missing.length ? `without ${missing}: ${told(error)}` : '');
    return;
  }
  say(check, 'failed', 'nothing was thrown');
}

/** The answer names the part of Salesforce that is not emulated. */
const notEmulated = (check, words, call) =>
  refused(check, ['SANDBOX_NOT_EMULATED', ...words], call, 'not emulated');

const oauth2 = () => ({ loginUrl: ORG.login_url, clientId: ORG.client_id, clientSecret: ORG.client_secret });

const conn = new Connection({ instanceUrl: ORG.instance_url, accessToken: ORG.access_token, version: '66.0' });

async function logins() {
  await works('login by an access token; identity', async () => {
    const identity = await conn.identity();
    assert.deepEqual([identity.username, identity.user_id], [ORG.username, ORG.user_id]);
  });
  await works('login by client credentials at the org; a query with it', async () => {
    const other = new Connection({ oauth2: { ...oauth2(), loginUrl: ORG.instance_url }, version: '66.0' });
    await other.authorize({ grant_type: 'client_credentials' });
    assert.equal(other.instanceUrl, ORG.instance_url);
    assert.ok((await other.query('SELECT Id FROM User LIMIT 1')).records.length);
  });
  await works('an ended session is renewed by the refresh token', async () => {
    const stale = new Connection({
      oauth2: oauth2(), instanceUrl: ORG.instance_url, accessToken: '00D!stale',
      refreshToken: ORG.refresh_token, version: '66.0',
    });
    let renewed = '';
    stale.on('refresh', (token) => (renewed = token));
    assert.ok((await stale.query('SELECT Id FROM User LIMIT 1')).records.length);
    assert.notEqual(renewed, '');
  });
  await refused('a refresh token that is none is refused', ['invalid_grant'], () =>
    new OAuth2(oauth2()).refreshToken('wrong'));
  await refused('an access token that is none is refused', ['INVALID_SESSION_ID'], () =>
    new Connection({ instanceUrl: ORG.instance_url, accessToken: '00D!wrong' }).limits());
  await works('logout revokes the access token', async () => {
    const leaving = new Connection({ oauth2: { ...oauth2(), loginUrl: ORG.instance_url }, version: '66.0' });
    await leaving.authorize({ grant_type: 'client_credentials' });
    const { accessToken } = leaving;
    await leaving.logout();
    const after = new Connection({ instanceUrl: ORG.instance_url, accessToken });
    await assert.rejects(after.limits(), { errorCode: 'INVALID_SESSION_ID' });
  });
  await notEmulated('login by password, which goes to SOAP', ['SOAP'], () =>
    new Connection({ loginUrl: ORG.login_url }).loginBySoap(ORG.username, 'secret'));
}

async function rows() {
  let id;
  await works('create, retrieve, update, destroy of one row', async () => {
    const made = await conn.sobject('Contact').create({ LastName: 'Işık', Description: HARD_TEXT });
    assert.deepEqual([made.success, made.errors], [true, []]);
    id = made.id;
    assert.equal((await conn.sobject('Contact').retrieve(id)).Description, HARD_TEXT);
    assert.ok((await conn.sobject('Contact').update({ Id: id, Title: 'Şef' })).success);
    assert.equal((await conn.sobject('Contact').record(id).retrieve()).Title, 'Şef');
    assert.ok((await conn.sobject('Contact').destroy(id)).success);
  });
  await refused('a destroyed row is not there', ['ENTITY_IS_DELETED'], () => conn.sobject('Contact').destroy(id));
  await works('create, retrieve, update, destroy of 450 rows at once', async () => {
    const given = Array.from({ length: 450 }, (_, n) => ({ LastName: `Çok ${n}` }));
    const made = await conn.sobject('Contact').create(given, { allowRecursive: true });
    const ids = made.map((one) => one.id);
    assert.equal(new Set(ids).size, 450);
    assert.equal((await conn.sobject('Contact').retrieve(ids.slice(0, 100))).length, 100);
    const changed = await conn.sobject('Contact').update(
      ids.map((Id) => ({ Id, Title: 'Şef' })), { allowRecursive: true });
    assert.ok(changed.every((one) => one.success));
    const gone = await conn.sobject('Contact').destroy(ids, { allowRecursive: true });
    assert.ok(gone.every((one) => one.success));
  });
  await works('rows of a request fail one by one, or all with allOrNone', async () => {
    const mixed = await conn.sobject('Contact').create([{ LastName: 'İyi' }, { FirstName: 'soyadsız' }]);
    assert.deepEqual(mixed.map((one) => one.success), [true, false]);
    assert.equal(mixed[1].errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
    const none = await conn.sobject('Contact').create(
      [{ LastName: 'İyi' }, { FirstName: 'soyadsız' }], { allOrNone: true });
    assert.deepEqual(none.map((one) => one.errors[0].statusCode),
      ['ALL_OR_NONE_OPERATION_ROLLED_BACK', 'REQUIRED_FIELD_MISSING']);
  });
  await works('upsert of one and of many by external id', async () => {
    const first = await conn.sobject('Task').upsert({ [KEY]: 'js:1', Subject: 'Bir' }, KEY);
    const second = await conn.sobject('Task').upsert({ [KEY]: 'js:1', Subject: 'İki' }, KEY);
    assert.deepEqual([first.created, second.created, first.id], [true, false, second.id]);
    const many = await conn.sobject('Task').upsert([1, 2, 3].map((n) => ({ [KEY]: `js:${n}`, Subject: 'Ü' })), KEY);
    assert.deepEqual(many.map((one) => one.created), [false, true, true]);
  });
  await works('updated and deleted', async () => {
    const [start, end] = [new Date(+NOW - HOUR), new Date(+NOW + HOUR)];
    assert.ok((await conn.sobject('Task').updated(start, end)).ids.length);
    assert.ok((await conn.sobject('Contact').deleted(start, end)).deletedRecords.some((one) => one.id === id));
  });
}

async function queries() {
  await works('query with a total and attributes', async () => {
    const found = await conn.query('SELECT Id, Name, Owner.Name FROM Opportunity LIMIT 3');
    assert.deepEqual([found.totalSize, found.done, found.records.length], [3, true, 3]);
    assert.equal(found.records[0].attributes.type, 'Opportunity');
  });
  await works('autoFetch pages through; queryMore by locator', async () => {
    const { totalSize } = await conn.query('SELECT Id FROM Account');
    await conn.sobject('Account').create(
      Array.from({ length: 400 }, (_, n) => ({ Name: `Sayfa ${n}` })), { allowRecursive: true });
    const headers = { 'Sforce-Query-Options': 'batchSize=200' };
    const all = await conn.query('SELECT Id FROM Account', { autoFetch: true, maxFetch: 10_000, headers });
    assert.equal(all.records.length, totalSize + 400);
    const first = await conn.query('SELECT Id FROM Account', { headers });
    assert.equal(first.records.length, 200);
    assert.equal((await conn.queryMore(first.nextRecordsUrl, { headers })).records.length, 200);
  });
  await works('scanAll sees the recycle bin', async () => {
    const { id } = await conn.sobject('Contact').create({ LastName: 'Silinen' });
    await conn.sobject('Contact').destroy(id);
    const soql = `SELECT Id, IsDeleted FROM Contact WHERE Id = '${id}'`;
    assert.equal((await conn.query(soql)).totalSize, 0);
    assert.equal((await conn.query(soql, { scanAll: true })).records[0].IsDeleted, true);
  });
  await works('find, findOne, count, sort, include', async () => {
    const found = await conn.sobject('Opportunity')
      .find({ IsClosed: false, Amount: { $gt: 0 } }, ['Id', 'Amount']).sort({ Amount: -1 }).limit(5);
    assert.ok(found.length && found[0].Amount >= found.at(-1).Amount);
    assert.ok((await conn.sobject('User').findOne({ Username: ORG.username })).Id);
    assert.ok((await conn.sobject('Contact').count({ LastName: { $like: '%' } })) > 0);
    const accounts = await conn.sobject('Account').find({}, 'Id, Name').include('Contacts').select('Id').end().limit(5);
    assert.equal(accounts.length, 5);
  });
  await works('a query as an event stream', async () => {
    let seen = 0;
    await new Promise((resolve, reject) => {
      conn.query('SELECT Id FROM User').on('record', () => (seen += 1)).on('end', resolve).on('error', reject).run();
    });
    assert.ok(seen);
  });
  await works('find then update, find then destroy', async () => {
    await conn.sobject('Lead').create([1, 2].map((n) => ({ LastName: `Geçici ${n}`, Company: 'jsforce' })));
    const changed = await conn.sobject('Lead').find({ Company: 'jsforce' }).update({ Title: 'Yeni' }, 'Lead');
    assert.ok(changed.length === 2 && changed.every((one) => one.success));
    const gone = await conn.sobject('Lead').find({ Company: 'jsforce' }).destroy('Lead');
    assert.ok(gone.every((one) => one.success));
  });
  await refused('a query that is none', ['MALFORMED_QUERY'], () => conn.query('SELECT FROM'));
}

async function schema() {
  await works('describe, describeGlobal, limits', async () => {
    assert.ok((await conn.describe('Task')).fields.some((field) => field.name === KEY));
    assert.ok((await conn.describeGlobal()).sobjects.some((one) => one.name === 'Opportunity'));
    assert.ok((await conn.limits()).DailyApiRequests.Max > 0);
    assert.ok(conn.limitInfo.apiUsage.used > 0);
  });
  await works('composite with a reference', async () => {
    const base = `/services/data/v66.0/sobjects`;
    const { compositeResponse: answers } = await conn.requestPost('/composite', {
      allOrNone: true,
      compositeRequest: [
        { method: 'POST', url: `${base}/Account`, referenceId: 'a', body: { Name: 'Bileşik' } },
        { method: 'POST', url: `${base}/Contact`, referenceId: 'c', body: { LastName: 'B', AccountId: '@{a.id}' } },
        { method: 'GET', url: `${base}/Contact/@{c.id}`, referenceId: 'r' },
      ],
    });
    assert.deepEqual(answers.map((one) => one.httpStatusCode), [201, 201, 200]);
    assert.equal(answers[2].body.AccountId, answers[0].body.id);
  });
}

async function chatter() {
  const opportunity = await conn.sobject('Opportunity').findOne({}, 'Id');
  const post = (text) => ({
    feedElementType: 'FeedItem',
    subjectId: opportunity.Id,
    body: { messageSegments: [{ type: 'Text', text }, { type: 'Mention', id: ORG.user_id }] },
  });
  await works('chatter: a feed element with a mention', async () => {
    const made = await conn.chatter.resource('/feed-elements').create(post('Merhaba '));
    assert.equal(made.feedElementType, 'FeedItem');
    assert.equal((await conn.chatter.resource(`/feed-elements/${made.id}`).retrieve()).id, made.id);
  });
  await works('chatter: a batch of feed elements', async () => {
    const inputs = ['Bir ', 'İki '].map((text) => ({ richInput: post(text) }));
    const done = await conn.chatter.resource('/feed-elements/batch').create({ inputs });
    assert.deepEqual(done.results.map((one) => one.statusCode), [201, 201]);
  });
}

async function bulk() {
  conn.bulk2.pollInterval = 500; // milliseconds
  conn.bulk2.pollTimeout = 60_000;
  let ids = [];
  await works('bulk2.loadAndWaitForResults: insert, with the row that fails and its reason', async () => {
    const input = [...[1, 2, 3].map((n) => ({ LastName: `Toplu ${n}`, Description: HARD_TEXT })),
      { LastName: '', Description: 'soyadsız' }];
    const done = await conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input });
    ids = done.successfulResults.map((one) => one.sf__Id);
    assert.equal(ids.length, 3);
    assert.match(done.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING:/);
    assert.equal((await conn.sobject('Contact').retrieve(ids[0])).Description, HARD_TEXT);
  });
  await works('bulk2.query gives every row, with line breaks in its texts', async () => {
    const count = await conn.sobject('Contact').count();
    const stream = await conn.bulk2.query('SELECT Id, LastName, Description FROM Contact');
    const found = await stream.toArray();
    assert.equal(found.length, count);
    assert.equal(found.find((one) => one.Id === ids[0]).Description, HARD_TEXT);
  });
  await works('bulk2 update, upsert and delete', async () => {
    const load = (object, operation, input, more = {}) =>
      conn.bulk2.loadAndWaitForResults({ object, operation, input, ...more });
    const changed = await load('Contact', 'update', ids.map((Id) => ({ Id, Title: 'Şef' })));
    assert.equal(changed.successfulResults.length, 3);
    const upserted = await load('Task', 'upsert', [{ [KEY]: 'js:bulk', Subject: 'Ö' }], { externalIdFieldName: KEY });
    assert.equal(upserted.successfulResults[0].sf__Created, 'true');
    const gone = await load('Contact', 'delete', ids.map((Id) => ({ Id })));
    assert.equal(gone.successfulResults.length, 3);
  });
  await works('bulk2.query with scanAll sees the recycle bin', async () => {
    const soql = `SELECT Id, IsDeleted FROM Contact WHERE Id = '${ids[0]}'`;
    const found = await (await conn.bulk2.query(soql, { scanAll: true })).toArray();
    assert.equal(found[0].IsDeleted, 'true');
  });
  await works('bulk2 jobs by hand: open, upload, close, poll, results; abort; delete', async () => {
    const job = conn.bulk2.createJob({ object: 'Contact', operation: 'insert' });
    await job.open();
    await job.uploadData('LastName\nElle\n');
    await job.close();
    await job.poll(500, 60_000);
    assert.equal((await job.getSuccessfulResults()).length, 1);
    const info = await job.check();
    assert.deepEqual([info.state, info.numberRecordsProcessed], ['JobComplete', 1]);
    await job.delete();
    const other = conn.bulk2.createJob({ object: 'Contact', operation: 'insert' });
    await other.open();
    await other.abort();
    assert.equal((await other.check()).state, 'Aborted');
  });
}

async function named() {
  await notEmulated('search (SOSL)', ['SOSL'], () => conn.search('FIND {Acme}'));
  await notEmulated('tooling', ['Tooling'], () => conn.tooling.query('SELECT Id FROM ApexClass'));
  await notEmulated('metadata (SOAP)', ['Metadata'], () => conn.metadata.read('CustomObject', ['Account']));
  await notEmulated('metadata deploy by REST', ['Metadata'], () => conn.metadata.deployRest(Buffer.from('PK'), {}));
  await notEmulated('soap', ['SOAP'], () => conn.soap.getServerTimestamp());
  await notEmulated('bulk (version 1)', ['Bulk'], () => conn.bulk.query('SELECT Id FROM Contact'));
  await notEmulated('apex REST', ['Apex'], () => conn.apex.get('/Nothing'));
  await notEmulated('analytics', ['Reports'], () => conn.analytics.reports());
  await notEmulated('layouts', ['layouts'], () => conn.sobject('Contact').layouts());
  await notEmulated('compactLayouts', ['layouts'], () => conn.sobject('Contact').compactLayouts());
  await notEmulated('approvalLayouts', ['layouts'], () => conn.sobject('Contact').approvalLayouts());
  await notEmulated('listviews', ['list views'], () => conn.sobject('Contact').listviews());
  await notEmulated('quickActions', [], () => conn.quickActions());
  await notEmulated('recent', [], () => conn.recent(5));
  await notEmulated('tabs', [], () => conn.tabs());
  await notEmulated('theme', [], () => conn.theme());
  await notEmulated('process.rule.list', [], () => conn.process.rule.list());
  await notEmulated('explain', ['explain'], () => conn.query('SELECT Id FROM Contact').explain());
}

await logins();
await rows();
await queries();
await schema();
await chatter();
await bulk();
await named();
process.exit(0); // jsforce keeps connections open
