import t from 'tap'
import { configSchema, defaultConfig, parseConfig, policyOf, settingsOf } from '../src/config.ts'
import { DEFAULT_SETTINGS } from '../src/mesh/snapshot/settings.ts'
import { DEFAULT_POLICY } from '../src/review/policy.ts'
import { RULE_IDS } from '../src/rules/index.ts'

const parse = (body: string) => parseConfig(`apiVersion: hitless.io/v1\nkind: Config\n${body}`, 'hitless.yaml', RULE_IDS)

t.test('a file that says nothing is the default policy', async (t) => {
  const config = defaultConfig(RULE_IDS)
  t.strictSame(policyOf(config), DEFAULT_POLICY)
  t.strictSame(settingsOf(config), { domain: DEFAULT_SETTINGS.domain, revision: 'default', clusters: 'one', clusterName: 'Kubernetes' })
  t.strictSame(config.server, {
    host: '0.0.0.0',
    port: 9443,
    healthHost: '0.0.0.0',
    healthPort: 8080,
    page: false,
    maxInFlight: 200,
    maxConnections: 1000,
    maxBodyMebibytes: 32,
    maxTurnSeconds: 20,
    drainSeconds: 10,
    clientCa: '',
    clientNames: []
  })
  t.equal(config.log.level, 'info')
})

t.test('what a file says replaces the defaults, field by field', async (t) => {
  const config = parse(`
rules: { missing-fallback: warn, workload-name: off }
whenStale: error
dryRun: enforce
versionLabels: [release]
disclosure: { objectNames: true }
exemptions: { checkAccess: false }
settings: { domain: example.org }
server: { drainSeconds: 30 }
log: { level: debug }
`)
  t.strictSame(policyOf(config), {
    mode: 'enforce',
    rules: { 'missing-fallback': 'warn', 'workload-name': 'off' },
    labelKeys: { version: ['release'], app: DEFAULT_POLICY.labelKeys.app },
    exemptNamespaces: DEFAULT_POLICY.exemptNamespaces,
    fallbackAtGateways: 'warn',
    plainHosts: 'auto',
    dryRun: 'enforce',
    whenStale: 'error',
    showForeignNames: true,
    exemptionsNeedAccess: false
  })
  t.strictSame(config.settings, { domain: 'example.org' })
  t.match(config, { server: { port: 9443, drainSeconds: 30 }, log: { level: 'debug' } })
})

t.test('one file does not change the defaults of the next, and nobody changes a file that was read', async (t) => {
  parse('exemptNamespaces: [a]')
  t.strictSame(defaultConfig(RULE_IDS).exemptNamespaces, DEFAULT_POLICY.exemptNamespaces)
  t.ok(Object.isFrozen(defaultConfig(RULE_IDS).server))
  t.ok(Object.isFrozen(defaultConfig(RULE_IDS).versionLabels))
  t.notOk(Object.isFrozen(DEFAULT_POLICY.exemptNamespaces), 'what others own is left alone')
})

t.test('a mistake is named with its field and the nearest that is known', async (t) => {
  const mistakes: Record<string, string> = {
    'whenstale: warn': 'whenstale is not known; do you mean whenStale?',
    'server: { maxInflight: 3 }': 'server.maxInflight is not known; do you mean maxInFlight?',
    'rules: { missing-fallbak: warn }': 'rules.missing-fallbak is not known; do you mean missing-fallback?',
    'colour: blue': 'colour is not known',
    'whenStale: never': 'whenStale must be one of warn, deny, error',
    'rules: { missing-fallback: yes }': 'rules.missing-fallback must be one of deny, warn, off',
    'server: { port: 70000 }': 'server.port must be <= 65535',
    'server: { port: "9443" }': 'server.port must be integer',
    'versionLabels: [version, version]': 'versionLabels must NOT have duplicate items (items ## 1 and 0 are identical)',
    'log: 3': 'log must be object',
    '__proto__: { a: 1 }': '__proto__ is not known'
  }
  for (const [body, message] of Object.entries(mistakes)) {
    t.throws(() => parse(body), { code: 'HITLESS_CONFIG', message: `hitless.yaml: ${message}` }, body)
  }
})

t.test('a file of another kind, or no YAML, is refused', async (t) => {
  const wrong: Record<string, RegExp> = {
    '': /^hitless.yaml: /,
    'a: [': /^hitless.yaml: /,
    'just text': /^hitless.yaml: the file must be object$/,
    'kind: Config': /^hitless.yaml: the file must have required property 'apiVersion'$/,
    'apiVersion: hitless.io/v2\nkind: Config': /^hitless.yaml: apiVersion must be hitless.io\/v1$/,
    'apiVersion: hitless.io/v1\nkind: Pod': /^hitless.yaml: kind must be Config$/
  }
  for (const [content, message] of Object.entries(wrong)) {
    t.throws(() => parseConfig(content, 'hitless.yaml', RULE_IDS), { code: 'HITLESS_CONFIG', message }, content)
  }
})

t.test('the schema is plain JSON and names every rule', async (t) => {
  const schema = configSchema(RULE_IDS)
  t.strictSame(JSON.parse(JSON.stringify(schema)), schema)
  t.match(schema, {
    properties: { rules: { properties: Object.fromEntries(RULE_IDS.map((id) => [id, { enum: ['deny', 'warn', 'off'] }])) } }
  })
})
