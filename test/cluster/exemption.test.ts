/** Who may let an object past a rule, as a real API server's authorizers say, and the traces that it leaves. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(2 * 60_000)

const RULE = '/apis/networking.istio.io/v1/namespaces/default/destinationrules/helloworld'
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
const ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles'

const folder = mkdtempSync(join(tmpdir(), 'hitless-audit-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const auditLog = join(folder, 'audit.log')
writeFileSync(
  join(folder, 'policy.yaml'),
  'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{ level: Metadata, resources: [{ group: networking.istio.io }] }, { level: None }]\n'
)
const plane = await startControlPlane({
  controllers: false,
  apiServerFlags: [`--audit-policy-file=${join(folder, 'policy.yaml')}`, `--audit-log-path=${auditLog}`, '--audit-log-mode=blocking']
})
t.teardown(() => plane.stop())
for (const manifest of [service({ selector: null }), destinationRule(['v1', 'v2']), virtualService([rule([to('v1')])])])
  await apply(manifest)

// Both may write; one may exempt, from one rule.
await grant('mesh-editor', { apiGroups: ['networking.istio.io'], resources: ['*'], verbs: ['*'] }, 'alice', 'bob')
await grant('exempter', { apiGroups: ['hitless.io'], resources: ['rules'], resourceNames: ['subset-in-use'], verbs: ['exempt'] }, 'alice')
const hitless = await startHitless(plane)
t.teardown(() => hitless.stop())

const until = new Date(Date.now() + 86_400_000).toISOString()
const allow = (rules: string) => ({ 'hitless.io/allow': `${rules} until=${until} reason=v1 is gone, see INC-7` })
/** Takes away the subset that has all requests. */
const dangerous = (rules: string) => ({ metadata: { annotations: allow(rules) }, spec: destinationRule(['v2'])['spec'] })

function write(as: string, body: unknown) {
  return plane.api.request<{ message?: string }>('PATCH', RULE, { body, as, contentType: 'application/merge-patch+json' })
}

t.test('an annotation of somebody who may not exempt counts for nothing', async (t) => {
  const { status, body, warnings } = await write('bob', dangerous('subset-in-use'))
  t.equal(status, 403)
  t.match(body.message, '[subset-in-use]')
  t.match(warnings.join('\n'), 'hitless.io/allow does not count: bob may not exempt from rules.hitless.io/subset-in-use')
})

t.test('nor does another rule, for somebody who may', async (t) => {
  t.equal((await write('alice', dangerous('undefined-subset'))).status, 403)
})

t.test('the rule that was granted is exempted from, and that is counted, logged and put into the audit log', async (t) => {
  const { status, warnings } = await write('alice', dangerous('subset-in-use'))
  t.equal(status, 200)
  t.match(warnings.join('\n'), '[subset-in-use]')
  t.match(await hitless.metrics(), 'hitless_exemptions_used_total{rule="subset-in-use"} 1')
  t.match(hitless.log(), /"user":"alice".*"rules":\["subset-in-use"\].*"reason":"v1 is gone, see INC-7","msg":"exempted"/)
  t.match(await audited('alice', 200), {
    'hitless.hitless.io/exempted': 'subset-in-use',
    'hitless.hitless.io/exemption-reason': 'v1 is gone, see INC-7',
    'hitless.hitless.io/rules': 'subset-in-use'
  })
})

async function apply(manifest: Manifest): Promise<void> {
  const { code, stderr } = await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) })
  if (code !== 0) throw new Error(stderr)
}

async function grant(name: string, granted: unknown, ...users: readonly string[]): Promise<void> {
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const apiGroup = 'rbac.authorization.k8s.io'
  const role = { apiVersion, kind: 'ClusterRole', metadata: { name }, rules: [granted] }
  const subjects = users.map((user) => ({ kind: 'User', name: user, apiGroup }))
  const binding = { apiVersion, kind: 'ClusterRoleBinding', metadata: { name }, roleRef: { apiGroup, kind: 'ClusterRole', name }, subjects }
  for (const [path, body] of [
    [ROLES, role],
    [BINDINGS, binding]
  ] as const) {
    const { status } = await plane.api.request('POST', path, { body })
    if (status !== 201) throw new Error(`${path}: ${status}`)
  }
}

interface AuditEvent {
  readonly impersonatedUser?: { readonly username: string }
  readonly responseStatus?: { readonly code: number }
  readonly annotations?: Readonly<Record<string, string>>
}

/** What the API server wrote down of a request; it does so just after the answer. */
async function audited(username: string, code: number): Promise<Readonly<Record<string, string>>> {
  for (;;) {
    const lines = readFileSync(auditLog, 'utf8').split('\n').slice(0, -1)
    const events = lines.map((line) => JSON.parse(line) as AuditEvent)
    const found = events.find((event) => event.impersonatedUser?.username === username && event.responseStatus?.code === code)
    if (found !== undefined) return found.annotations ?? {}
    await sleep(20)
  }
}
