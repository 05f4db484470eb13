import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEFAULT_KINDS } from '../../src/cluster/live-cluster.ts'
import { configSchema, parseConfig } from '../../src/config.ts'
import { APIS } from '../../src/mesh/parse.ts'
import { RULE_IDS } from '../../src/rules/index.ts'
import { CHART, helm, type Rendered, rendered } from './helm.ts'

// Go builds Helm where no other run has.
t.setTimeout(900_000)

const CERT_MANAGER = ['--set', 'certificate.certManager.enabled=true']
const OWN_SECRET = ['--set', 'certificate.existingSecret=own,certificate.caBundle=PEM']

t.test('helm lint --strict has nothing to say', async (t) => {
  for (const values of [[], CERT_MANAGER, OWN_SECRET]) {
    const { code, stdout, stderr } = await helm('lint', '--strict', CHART, ...values)
    t.equal(code, 0, stdout + stderr)
  }
})

const REFUSED: readonly { readonly values: string; readonly says: RegExp }[] = [
  { values: 'replica=2', says: /additional properties 'replica' not allowed/ },
  { values: 'config.whenstale=deny', says: /additional properties 'whenstale' not allowed/ },
  { values: 'config.rules.no-such-rule=deny', says: /additional properties 'no-such-rule' not allowed/ },
  { values: 'webhook.failurePolicy=Maybe', says: /failurePolicy/ },
  { values: 'certificate.existingSecret=own', says: /existingSecret needs caBundle/ },
  { values: 'certificate.existingSecret=own,certificate.certManager.enabled=true', says: /exclude each other/ }
]
for (const { values, says } of REFUSED) {
  t.test(`${values} is refused`, (t) => t.rejects(rendered('--set', values), { message: says }))
}

t.test('the schema of config is the schema of the configuration file', async (t) => {
  const { properties } = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as { properties: { config: unknown } }
  t.strictSame(properties.config, configSchema(RULE_IDS))
})

t.test('the ConfigMap holds a configuration that hitless reads, with the mode "off" as a text', async (t) => {
  const { data } = find(await rendered('--set', 'config.rules.missing-fallback=off'), 'ConfigMap') as unknown as {
    data: { 'config.yaml': string }
  }
  t.equal(parseConfig(data['config.yaml'], 'config.yaml', RULE_IDS).rules['missing-fallback'], 'off')
})

t.test('the ClusterRole lets hitless follow the kinds that it follows, and nothing more', async (t) => {
  const { rules } = find(await rendered(), 'ClusterRole') as unknown as { rules: Grant[] }
  const granted = rules.flatMap(({ apiGroups, resources }) => apiGroups.flatMap((group) => resources.map((plural) => `${group}/${plural}`)))
  t.strictSame(granted.sort(), DEFAULT_KINDS.map((kind) => `${APIS[kind].group}/${APIS[kind].plural}`).sort())
  for (const { verbs } of rules) t.strictSame(verbs, ['get', 'list', 'watch'])
})

const POLICIES = [
  { of: 'the pair that Helm makes', values: [], policy: 'Ignore' },
  { of: 'cert-manager', values: CERT_MANAGER, policy: 'Fail' },
  { of: 'a Secret of the owner', values: OWN_SECRET, policy: 'Fail' },
  { of: 'a policy that is given', values: ['--set', 'webhook.failurePolicy=Fail'], policy: 'Fail' }
] as const
for (const { of, values, policy } of POLICIES) {
  t.test(`with ${of}, routes are ${policy} and workloads Ignore`, async (t) => {
    const { webhooks } = find(await rendered(...values), 'ValidatingWebhookConfiguration') as unknown as {
      webhooks: { failurePolicy: string }[]
    }
    t.strictSame(
      webhooks.map(({ failurePolicy }) => failurePolicy),
      [policy, 'Ignore', 'Ignore', 'Ignore']
    )
  })
}

interface Grant {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

function find(objects: readonly Rendered[], kind: string): Rendered {
  const found = objects.find((object) => object.kind === kind)
  if (found === undefined) throw new Error(`the chart renders no ${kind}`)
  return found
}
