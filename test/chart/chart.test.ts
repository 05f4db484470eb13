import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { configSchema, parseConfig } from '../../src/config.ts'
import { JUDGED_KINDS, type Kind, kindModule, WATCHED_KINDS } from '../../src/kinds/index.ts'
import { FAIL_WHEN_PROVEN, HANDS_OFF, PUBLISHES } from '../../src/kubernetes/webhook-configuration.ts'
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
  { values: 'webhook.protect=some', says: /protect/ },
  { values: 'config.mode=watch', says: /mode/ },
  { values: 'webhook.selfManaged=false', says: /may not publish an authority of its own/ },
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

t.test('the authority of clients is read where its Secret is mounted', async (t) => {
  const objects = await rendered('--set', 'webhook.clientCa.secret=clients,webhook.clientCa.names={kube-apiserver},config.server.port=8443')
  const { data } = find(objects, 'ConfigMap') as unknown as { data: { 'config.yaml': string } }
  const { clientCa, clientNames, port } = parseConfig(data['config.yaml'], 'config.yaml', RULE_IDS).server
  t.strictSame([clientNames, port], [['kube-apiserver'], 8443])
  const { spec } = find(objects, 'Deployment') as unknown as { spec: { template: { spec: Mounting } } }
  const { containers, volumes } = spec.template.spec
  const mount = containers[0]?.volumeMounts.find(({ mountPath }) => clientCa === `${mountPath}/ca.crt`)
  t.match(
    volumes.find(({ name }) => name === mount?.name),
    { secret: { secretName: 'clients' } }
  )
})

t.test(
  'hitless may follow the watched kinds in all namespaces, and no other; of what else it judges it may read one by name',
  async (t) => {
    const reading = grants(await rendered(), 'ClusterRole').filter(isReading)
    const resources = (verb: string) =>
      reading
        .filter(({ verbs }) => verbs.includes(verb))
        .flatMap(({ apiGroups, resources }) => resources.map((plural) => `${apiGroups}/${plural}`))
    const paths = (kinds: readonly Kind[]) => kinds.map(kindModule).map(({ api }) => `${api.group}/${api.plural}`)
    // Of ConfigMaps it follows one, by its name.
    const everywhere = WATCHED_KINDS.filter((kind) => kind !== 'MeshConfig')
    t.strictSame(resources('watch').sort(), paths(everywhere).sort())
    t.strictSame(resources('get').sort(), paths([...new Set([...everywhere, ...JUDGED_KINDS])]).sort())
    for (const { verbs } of reading) t.strictSame(verbs, verbs.includes('watch') ? ['get', 'list', 'watch'] : ['get'])
  }
)

const BESIDE = {
  'admissionregistration.k8s.io/validatingwebhookconfigurations': 'hitless-hitless-system: get watch patch',
  'events.k8s.io/events': 'any: create',
  'authorization.k8s.io/subjectaccessreviews': 'any: create',
  'coordination.k8s.io/leases': 'hitless-audit: get create update patch',
  '/configmaps': 'hitless-probe: create patch'
}
const SECRET = { '/secrets': 'hitless-authority: get create update patch' }
for (const { of, values, secret } of [
  { of: 'its own certificates', values: [], secret: SECRET },
  { of: 'cert-manager', values: CERT_MANAGER, secret: {} },
  { of: 'a Secret of the owner', values: OWN_SECRET, secret: {} }
]) {
  t.test(`with ${of}, what else it may do is by name, but for what no name is known of`, async (t) => {
    const objects = await rendered(...values)
    const own = objects.filter(({ metadata }) => metadata.namespace !== 'istio-system')
    const others = [...grants(own, 'ClusterRole').filter((grant) => !isReading(grant)), ...grants(own, 'Role')]
    const said = saidOf(others)
    t.strictSame(Object.fromEntries(said), { ...BESIDE, ...secret })
    t.equal(said.length, Object.keys({ ...BESIDE, ...secret }).length)
  })
}

const ASKING = {
  '/serviceaccounts/token': 'hitless-settle: create',
  '/configmaps': 'istio-ca-root-cert: get',
  'discovery.k8s.io/endpointslices': 'any: list'
}
for (const { values, namespace, may } of [
  { values: '', namespace: 'istio-system', may: ASKING },
  { values: 'config.settings.rootNamespace=mesh', namespace: 'mesh', may: ASKING },
  { values: 'config.settle.mode=fixed', namespace: 'istio-system', may: {} },
  { values: 'config.settle.milliseconds=0', namespace: 'istio-system', may: {} }
]) {
  t.test(`to ask istiod (${values || 'defaults'}) it may do these things in Istio's root namespace`, async (t) => {
    const objects = await rendered(...(values === '' ? [] : ['--set', values]))
    const there = objects.filter(({ metadata }) => metadata.namespace === namespace && metadata.name.endsWith('-settle'))
    t.strictSame(Object.fromEntries(saidOf(grants(there, 'Role'))), may)
    t.strictSame(there.map(({ kind }) => kind).sort(), may === ASKING ? ['Role', 'RoleBinding', 'ServiceAccount'] : [])
  })
}

for (const { values, namespace, name } of [
  { values: [], namespace: 'istio-system', name: 'istio' },
  { values: ['--set', 'config.settings.rootNamespace=mesh', '--set', 'config.mesh.revision=1-31'], namespace: 'mesh', name: 'istio-1-31' }
]) {
  t.test(`it may follow the ConfigMap ${namespace}/${name}, and no other`, async (t) => {
    const there = (await rendered(...values)).filter(
      ({ metadata }) => metadata.namespace === namespace && metadata.name.endsWith('-mesh-config')
    )
    t.strictSame(there.map(({ kind }) => kind).sort(), ['Role', 'RoleBinding'])
    t.strictSame(saidOf(grants(there, 'Role')), [['/configmaps', `${name}: get list watch`]])
  })
}

t.test('before the release is deleted, a Job that may do nothing else deletes the webhook configuration', async (t) => {
  const hooks = (await rendered()).filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'pre-delete')
  t.strictSame(hooks.map(({ kind }) => kind).sort(), ['ClusterRole', 'ClusterRoleBinding', 'Job', 'ServiceAccount'])
  const { rules } = find(hooks, 'ClusterRole') as unknown as { rules: Grant[] }
  t.match(rules, [{ resources: ['validatingwebhookconfigurations'], resourceNames: ['hitless-hitless-system'], verbs: ['delete'] }])
  t.equal(rules.length, 1)
})

const WORKLOADS_TOO = ['--set', 'webhook.workloadFailurePolicy=Fail']
for (const values of [[], CERT_MANAGER, OWN_SECRET, WORKLOADS_TOO]) {
  t.test(`at a first install no write fails because hitless is not there yet (${values.at(-1) ?? 'defaults'})`, async (t) => {
    const { webhooks, metadata } = find(await rendered(...values), 'ValidatingWebhookConfiguration') as Configuration
    const policies = Object.fromEntries(webhooks.map(({ name, failurePolicy }) => [name, failurePolicy]))
    const { 'probe.hitless.io': probe, ...judged } = policies
    t.strictSame([...new Set(Object.values(judged))], ['Ignore'])
    t.equal(probe, 'Fail', 'which is asked about one dry run of hitless alone')
    const workloads =
      values === WORKLOADS_TOO ? ',namespaces.hitless.io,entries.hitless.io,services.hitless.io,workloads.hitless.io,scale.hitless.io' : ''
    t.equal(metadata.annotations?.[FAIL_WHEN_PROVEN], `routes.hitless.io${workloads}`)
  })
}

t.test('where the Pods may only look at the webhook configuration, it is from the start what it is to be', async (t) => {
  for (const values of [CERT_MANAGER, OWN_SECRET]) {
    const objects = await rendered(...values, '--set', 'webhook.selfManaged=false')
    const granted = grants(objects, 'ClusterRole').find(({ resources }) => resources.includes('validatingwebhookconfigurations'))
    t.strictSame(granted?.verbs, ['get', 'watch'])
    const { webhooks, metadata } = find(objects, 'ValidatingWebhookConfiguration') as Configuration
    t.equal(metadata.annotations?.[HANDS_OFF], 'true')
    t.equal(webhooks.find(({ name }) => name === 'routes.hitless.io')?.failurePolicy, 'Fail')
    t.equal(webhooks.find(({ name }) => name === 'services.hitless.io')?.failurePolicy, 'Ignore')
  }
  t.equal(find(await rendered(), 'ValidatingWebhookConfiguration').metadata.annotations?.[HANDS_OFF], undefined)
})

t.test('hitless publishes its authority where it makes the certificates, and nowhere else', async (t) => {
  for (const { values, ours } of [
    { values: [], ours: 'true' },
    { values: CERT_MANAGER, ours: undefined },
    { values: OWN_SECRET, ours: undefined }
  ]) {
    const { metadata } = find(await rendered(...values), 'ValidatingWebhookConfiguration')
    t.equal(metadata.annotations?.[PUBLISHES], ours)
  }
})

t.test('where hitless only observes, no webhook ever fails a write, whatever else is said', async (t) => {
  for (const more of [[], [...CERT_MANAGER, '--set', 'webhook.selfManaged=false']]) {
    const values = ['--set', 'config.mode=observe,webhook.workloadFailurePolicy=Fail', ...more]
    const { webhooks, metadata } = find(await rendered(...values), 'ValidatingWebhookConfiguration') as Configuration
    const judged = webhooks.filter(({ name }) => name !== 'probe.hitless.io')
    t.strictSame([...new Set(judged.map(({ failurePolicy }) => failurePolicy))], ['Ignore'])
    t.equal(metadata.annotations?.[FAIL_WHEN_PROVEN], '')
  }
})

t.test('where only labelled things are protected, the same policies hold for both of a kind', async (t) => {
  const { webhooks, metadata } = find(
    await rendered('--set', 'webhook.protect=labelled'),
    'ValidatingWebhookConfiguration'
  ) as Configuration
  t.equal(new Set(webhooks.map(({ name }) => name)).size, webhooks.length)
  t.equal(metadata.annotations?.[FAIL_WHEN_PROVEN], 'routes.hitless.io,labelled.routes.hitless.io')
  const all = find(await rendered(), 'ValidatingWebhookConfiguration') as Configuration
  t.equal(webhooks.length, 2 * all.webhooks.length - 2, 'but for the dry run of hitless itself, and for Scale, which has no labels')
})

t.test('a webhook that is to stay Ignore is not raised', async (t) => {
  const { metadata } = find(await rendered('--set', 'webhook.failurePolicy=Ignore'), 'ValidatingWebhookConfiguration')
  t.equal(metadata.annotations?.[FAIL_WHEN_PROVEN], '')
})

interface Configuration extends Rendered {
  readonly webhooks: readonly { readonly name: string; readonly failurePolicy: string }[]
}

interface Mounting {
  readonly containers: readonly { readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[] }[]
  readonly volumes: readonly { readonly name: string }[]
}

interface Grant {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** Objects of a kind, whatever their names. */
function isReading({ resourceNames, verbs }: Grant): boolean {
  return resourceNames === undefined && verbs.every((verb) => ['get', 'list', 'watch'].includes(verb))
}

/** Those of the release itself, not of its hooks. */
function grants(objects: readonly Rendered[], kind: 'ClusterRole' | 'Role'): Grant[] {
  const roles = objects.filter((object) => object.kind === kind && object.metadata.annotations?.['helm.sh/hook'] === undefined)
  return (roles as unknown as { rules: Grant[] }[]).flatMap(({ rules }) => rules)
}

/** What may be done, and to what of which name. */
function saidOf(grants: readonly Grant[]): [string, string][] {
  return grants.flatMap(({ apiGroups, resources, resourceNames = ['any'], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.map((plural): [string, string] => [`${group}/${plural}`, `${resourceNames.join()}: ${verbs.join(' ')}`])
    )
  )
}

function find(objects: readonly Rendered[], kind: string): Rendered {
  const found = objects.find((object) => object.kind === kind)
  if (found === undefined) throw new Error(`the chart renders no ${kind}`)
  return found
}
