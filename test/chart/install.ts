// Runs in a network of its own, where the addresses of Pods are local: install.test.ts starts it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CHART } from './helm.ts'
import { ownPair, startRelease } from './release.ts'

t.setTimeout(10 * 60_000)

const VALUES = ['--set', 'config.server.drainSeconds=3,config.settle.milliseconds=0']
const release = await startRelease()
t.teardown(() => release.stop())
const { plane, pods, writer, helm, toNobody, apply, running, ready, policies, bundle, until, failsClosed } = release

t.test('from nothing to the first refused write', async (t) => {
  const started = performance.now()
  const { code, stdout, stderr } = await helm('install', 'hitless', CHART, '--create-namespace', '--wait', '--timeout', '3m', ...VALUES)
  t.equal(code, 0, stderr)
  t.equal(await ready(), 3)
  t.comment(`installed and Ready after ${Math.round(performance.now() - started)} ms`)
  await failsClosed()
  t.same(await policies(), {
    routes: 'Fail',
    namespaces: 'Ignore',
    entries: 'Ignore',
    services: 'Ignore',
    workloads: 'Ignore',
    scale: 'Ignore',
    probe: 'Fail'
  })
  const refused = await toNobody()
  t.equal(refused.code, 1)
  t.match(refused.stderr, /denied the request: hitless: 50% of requests .*\[undefined-subset\]/)
  const ms = Math.round(performance.now() - started)
  t.ok(ms < 120_000)
  t.comment(`first refused write after ${ms} ms`)
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes, and none failed while hitless was not there yet`)

  const [, denial = ''] = /<<'END'\n([\s\S]*?)\n\s*END/.exec(stdout) ?? []
  t.match((await plane.kubectl(['create', '--dry-run=server', '-f', '-'], { input: denial })).stderr, '[missing-fallback]')
})

t.test('helm test sees a refusal arrive', async (t) => {
  const { code, stdout, stderr } = await helm('test', 'hitless', '--timeout', '60s')
  t.equal(code, 0, stdout + stderr)
  t.match(pods.log(), 'hitless refused a write that it must refuse')
})

t.test('an upgrade replaces the Pods, and no write fails or goes unjudged', async (t) => {
  writer.take()
  const before = (await running()).map(({ metadata }) => metadata.name)
  const { code, stderr } = await helm(
    'upgrade',
    'hitless',
    CHART,
    '--wait',
    '--timeout',
    '3m',
    ...VALUES,
    '--set',
    'config.rules.workload-name=off'
  )
  t.equal(code, 0, stderr)
  t.equal((await policies())['routes'], 'Fail')
  await until('the old Pods are gone', async () => (await running()).every(({ metadata }) => !before.includes(metadata.name)))
  t.match((await toNobody()).stderr, '[undefined-subset]')
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
  t.comment(`${made} writes during the upgrade`)
})

t.test('a rollback to the first manifest goes through Ignore to Fail again, and no write fails', async (t) => {
  const { code, stderr } = await helm('rollback', 'hitless', '1', '--wait', '--timeout', '3m')
  t.equal(code, 0, stderr)
  await failsClosed()
  t.equal(await ready(), 3)
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
  t.comment(`${made} writes during the rollback`)
})

t.test('a Pod that is killed is replaced', async (t) => {
  const pod = (await running()).find((each) => each.metadata.deletionTimestamp === undefined)
  if (pod === undefined) throw new Error('no Pod is there')
  const { metadata } = pod
  await pods.kill(metadata.uid)
  t.equal((await plane.kubectl(['delete', 'pod', metadata.name, '-n', 'hitless-system', '--force', '--grace-period=0'])).code, 0)
  await until(
    'three are Ready again',
    async () => (await ready()) === 3 && (await running()).every((each) => each.metadata.name !== metadata.name)
  )
  t.match((await toNobody()).stderr, '[undefined-subset]')
  const { made, failures } = writer.take()
  t.comment(`${failures.length} of ${made} writes failed with it: ${failures[0] ?? ''}`)
})

t.test('a Secret that is deleted comes back with another authority, while the old one signs on', async (t) => {
  const secret = '/api/v1/namespaces/hitless-system/secrets/hitless-authority'
  const old = await bundle()
  writer.take()
  await plane.api.request('DELETE', secret)
  const ms = await until('another authority is published', async () => (await bundle()).length > old.length)
  t.ok((await bundle()).startsWith(old))
  const { body } = await plane.api.request<{ data: Record<string, string> }>('GET', secret)
  t.same(Object.keys(body.data).sort(), ['ca.crt', 'ca.key', 'next.crt', 'next.key'])
  t.match((await toNobody()).stderr, '[undefined-subset]')
  t.same(writer.take().failures, [])
  t.comment(`after ${ms} ms`)
})

/** Resolves once a replica has looked at the configuration, and mended what it found. */
async function mended(): Promise<number> {
  const known = await bundle()
  const value = Buffer.from(plane.ca).toString('base64')
  const body = [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value }]
  await plane.api.request('PATCH', release.path, { body, contentType: 'application/json-patch+json' })
  return until('the bundle is mended', async () => (await bundle()) === known)
}

t.test('a bundle that somebody overwrites is mended', async (t) => {
  const ms = await mended()
  t.match((await toNobody()).stderr, '[undefined-subset]')
  // The API server takes the mended one into use a moment after it is written.
  t.comment(`after ${ms} ms; ${writer.take().failures.length} writes failed`)
})

t.test('a policy that is lowered stays so, and one that is raised again is raised', async (t) => {
  const lowered = await helm('upgrade', 'hitless', CHART, '--wait', ...VALUES, '--set', 'webhook.failurePolicy=Ignore')
  t.equal(lowered.code, 0, lowered.stderr)
  await mended()
  t.equal((await policies())['routes'], 'Ignore')
  t.equal((await helm('upgrade', 'hitless', CHART, '--wait', ...VALUES)).code, 0)
  await failsClosed()
  t.same(writer.take().failures, [])
})

t.test('a configuration that is deleted in need lets all through, leaves the Pods Ready, and comes back by an upgrade', async (t) => {
  await plane.api.request('DELETE', release.path)
  await until('writes go through', async () => (await toNobody()).code === 0)
  t.equal((await apply(release.all)).code, 0)
  t.equal((await helm('upgrade', 'hitless', CHART, '--wait', '--timeout', '3m', ...VALUES)).code, 0)
  await failsClosed()
  t.equal(await ready(), 3)
  await until('writes are judged', async () => /undefined-subset/.test((await toNobody()).stderr))
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
})

t.test('a pair of the owner takes the place of the certificates that hitless makes', async (t) => {
  const { authority, secret } = await ownPair()
  t.equal((await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(secret) })).code, 0)
  const caFile = join(plane.directory, 'owner-ca.pem')
  writeFileSync(caFile, authority)
  const own = ['--set', 'certificate.existingSecret=own', '--set-file', `certificate.caBundle=${caFile}`]
  const lenient = ['--set', 'webhook.failurePolicy=Ignore']
  for (const values of [lenient, ['--force-conflicts', ...own, ...lenient], own]) {
    const { code, stderr } = await helm('upgrade', 'hitless', CHART, '--wait', '--timeout', '3m', ...VALUES, ...values)
    t.equal(code, 0, stderr)
  }
  await failsClosed()
  t.equal(await bundle(), authority)
  t.match((await toNobody()).stderr, '[undefined-subset]')
  t.same(writer.take().failures, [])
})

t.test('the Pods may read no Secret but their own', async (t) => {
  const as = ['-n', 'hitless-system', '--as', 'system:serviceaccount:hitless-system:hitless']
  const may = async (verb: string, what: string) => (await plane.kubectl(['auth', 'can-i', verb, what, ...as])).stdout.trim()
  for (const [verb, what] of [
    ['get', 'secrets/other'],
    ['list', 'secrets'],
    ['watch', 'secrets'],
    ['list', 'validatingwebhookconfigurations'],
    ['create', 'secrets'],
    ['create', 'configmaps'],
    ['delete', 'validatingwebhookconfigurations/hitless-hitless-system'],
    ['patch', 'validatingwebhookconfigurations/other']
  ] as const) {
    t.equal(await may(verb, what), 'no', `${verb} ${what}`)
  }
})

t.test('an uninstall leaves nothing of ours and blocks nothing', async (t) => {
  const { code, stderr } = await helm('uninstall', 'hitless', '--wait', '--timeout', '3m')
  t.equal(code, 0, stderr)
  t.equal(await release.configuration(), null)
  t.equal((await toNobody()).code, 0, 'nobody asks hitless any more')
  t.same(await release.left(), [])
  await until('the Pods are gone', async () => (await running()).length === 0)
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
})
