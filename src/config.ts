/** The configuration file: `apiVersion: hitless.io/v1`, `kind: Config`. Its schema is the documentation, and the chart shares it. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { load } from 'js-yaml'
import { HitlessError } from './errors.ts'
import { DEFAULT_SETTINGS, type GivenSettings, type MeshSettings } from './mesh/snapshot/settings.ts'
import { nearest } from './nearest.ts'
import { DEFAULT_POLICY, type Mode, type Policy } from './review/policy.ts'

export interface Config {
  readonly apiVersion: 'hitless.io/v1'
  readonly kind: 'Config'
  readonly mode: Policy['mode']
  readonly rules: Readonly<Record<string, Mode>>
  readonly whenStale: Policy['whenStale']
  readonly dryRun: Policy['dryRun']
  readonly versionLabels: readonly string[]
  readonly appLabels: readonly string[]
  readonly exemptNamespaces: readonly string[]
  readonly fallbackAtGateways: Policy['fallbackAtGateways']
  readonly plainHosts: Policy['plainHosts']
  readonly exemptions: { readonly checkAccess: boolean }
  readonly disclosure: { readonly objectNames: boolean }
  readonly settings: Pick<MeshSettings, 'domain'> & Pick<GivenSettings, 'rootNamespace'>
  readonly mesh: Required<Pick<MeshSettings, 'revision' | 'clusters' | 'clusterName'>> &
    Pick<
      MeshSettings,
      'outboundTrafficPolicy' | 'defaultServiceExportTo' | 'defaultVirtualServiceExportTo' | 'defaultDestinationRuleExportTo'
    >
  readonly settle: {
    readonly mode: 'exact' | 'fixed'
    readonly milliseconds: number
    readonly serviceAccount: string
    readonly onTimeout: 'warn' | 'deny'
  }
  readonly server: {
    readonly host: string
    readonly port: number
    readonly healthHost: string
    readonly healthPort: number
    readonly page: boolean
    readonly maxInFlight: number
    readonly maxConnections: number
    readonly maxBodyMebibytes: number
    readonly maxTurnSeconds: number
    readonly drainSeconds: number
    readonly clientCa: string
    readonly clientNames: readonly string[]
  }
  readonly log: { readonly level: string }
}

type Schema = Readonly<Record<string, unknown>>

const ELSE_MESH_CONFIG = '; without it, what the ConfigMap of the mesh says.'
const NAMESPACES = { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, uniqueItems: true }

/** The JSON schema of the file, defaults included, for the rules of these ids. */
export function configSchema(ruleIds: readonly string[]): Schema {
  const { mode, labelKeys, exemptNamespaces, whenStale, dryRun, showForeignNames, exemptionsNeedAccess, fallbackAtGateways, plainHosts } =
    DEFAULT_POLICY
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'hitless configuration',
    ...fields({
      apiVersion: { const: 'hitless.io/v1' },
      kind: { const: 'Config' },
      mode: choice(
        'What becomes of a refusal: `observe` admits every write, and tells what would have been refused by a warning, an Event, a metric and the log.',
        mode,
        ['enforce', 'observe']
      ),
      rules: section('How each rule acts in this cluster; one that is not named acts as it was written.', modes(ruleIds)),
      whenStale: choice('The answer while the state of the cluster is not known; `error` leaves it to failurePolicy.', whenStale, [
        'warn',
        'deny',
        'error'
      ]),
      dryRun: choice('What findings about other objects do to a dry run.', dryRun, ['warn', 'enforce']),
      fallbackAtGateways: choice(
        'What becomes of a route object without a fallback for a host at a gateway that nobody served before.',
        fallbackAtGateways,
        ['deny', 'warn', 'off']
      ),
      plainHosts: choice(
        'What becomes of a write that closes a host which no VirtualService routes; `auto` refuses it for a Service in the mesh and warns of all else.',
        plainHosts,
        ['auto', 'deny', 'warn', 'off']
      ),
      versionLabels: names('Label keys that tell versions of a workload apart.', labelKeys.version),
      appLabels: names('Label keys that name the workload.', labelKeys.app),
      exemptNamespaces: names('Namespaces whose writes are not judged.', exemptNamespaces),
      exemptions: section('When the annotation hitless.io/allow counts.', {
        checkAccess: {
          type: 'boolean',
          default: exemptionsNeedAccess,
          description: 'Only where its writer may `exempt` the rule: a verb on rules.hitless.io, by the name of the rule.'
        }
      }),
      disclosure: section('What an answer may show of other namespaces. Hosts are always shown.', {
        objectNames: { type: 'boolean', default: showForeignNames, description: 'Names of their objects.' }
      }),
      settings: section('What the mesh was installed with.', {
        rootNamespace: given(
          { type: 'string', minLength: 1 },
          "Istio's root namespace; without it, what the ConfigMap `istio` in `istio-system` says."
        ),
        domain: text("The cluster's DNS domain.", DEFAULT_SETTINGS.domain)
      }),
      mesh: section('What of the mesh no object of this cluster tells, and what comes before what one tells.', {
        revision: text(
          'The revision of the istiod that runs the mesh: objects labelled `istio.io/rev` for another are not there.',
          DEFAULT_SETTINGS.revision
        ),
        clusters: choice('`several`: other clusters run Pods behind the same hosts, so that none here does not mean none.', 'one', [
          'one',
          'several'
        ]),
        clusterName: text('The name that istiod gives this cluster, by which subsets may select.', 'Kubernetes'),
        outboundTrafficPolicy: given(
          { enum: ['ALLOW_ANY', 'REGISTRY_ONLY'] },
          `Whether clients may call hosts that the mesh does not know${ELSE_MESH_CONFIG}`
        ),
        defaultServiceExportTo: given(NAMESPACES, `To whom Services and ServiceEntries are exported that do not say${ELSE_MESH_CONFIG}`),
        defaultVirtualServiceExportTo: given(NAMESPACES, `To whom VirtualServices are exported that do not say${ELSE_MESH_CONFIG}`),
        defaultDestinationRuleExportTo: given(NAMESPACES, `To whom DestinationRules are exported that do not say${ELSE_MESH_CONFIG}`)
      }),
      settle: section('How long a write is held behind a change that it relies on, until every proxy knows that change.', {
        mode: choice('`exact` asks istiod which proxies know it; `fixed` waits for so long and asks nobody.', 'exact', ['exact', 'fixed']),
        milliseconds: count('The fixed time, which counts too where istiod cannot be asked; 0 holds nothing.', 1000, 0, 10_000),
        serviceAccount: text("The ServiceAccount in Istio's root namespace that istiod is asked as.", 'hitless-settle'),
        onTimeout: choice('The answer where the deadline of the review comes first.', 'warn', ['warn', 'deny'])
      }),
      server: section('Where the webhook listens, and its limits.', {
        host: text('Address for reviews.', '0.0.0.0'),
        port: count('Port for reviews.', 9443, 0, 65_535),
        healthHost: text('Address for probes and metrics.', '0.0.0.0'),
        healthPort: count('Port for probes and metrics.', 8080, 0, 65_535),
        page: {
          type: 'boolean',
          default: false,
          description: 'A page at /look/ on the port for probes: hosts, shares, gaps, refusals, for whoever reaches that port.'
        },
        maxInFlight: count('Reviews answered at once; more get 503, and failurePolicy decides.', 200, 1, 10_000),
        maxConnections: count('Connections to the port for reviews; beyond, those end that were not used for longest.', 1000, 10, 100_000),
        maxBodyMebibytes: count('What reviews in flight may take together, as they were sent; beyond, the slowest get 503.', 32, 7, 4096),
        maxTurnSeconds: count(
          'CPU time that the process may take without answering anybody, before it ends to be started anew.',
          20,
          1,
          600
        ),
        drainSeconds: count('How long requests go on being answered after a signal to stop.', 10, 0, 3600),
        clientCa: {
          type: 'string',
          default: '',
          description:
            'File with the authority (PEM) whose certificates clients on the port for reviews must show; empty: none is asked for.'
        },
        clientNames: names('Common or DNS names, one of which such a certificate must have; empty: any.', [])
      }),
      log: section('', { level: choice('', 'info', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']) })
    }),
    required: ['apiVersion', 'kind']
  }
}

/** By rules: to compile a schema takes some 40 ms of a start. */
const validators = new WeakMap<readonly string[], ValidateFunction<Config>>()

/** It writes the defaults into what it is given. */
function validatorOf(ruleIds: readonly string[]): ValidateFunction<Config> {
  const known = validators.get(ruleIds)
  if (known !== undefined) return known
  const compiled = new Ajv({ useDefaults: true, verbose: true }).compile<Config>(configSchema(ruleIds))
  validators.set(ruleIds, compiled)
  return compiled
}

/** Reads the file's text; the defaults where it says nothing. Throws HITLESS_CONFIG naming `file`, the field, and the nearest known key. */
export function parseConfig(content: string, file: string, ruleIds: readonly string[]): Config {
  return toConfig(parseYaml(content, file), file, ruleIds)
}

/** The configuration that a value means, as one of its file. Throws HITLESS_CONFIG naming `file`. */
export function toConfig(given: unknown, file: string, ruleIds: readonly string[]): Config {
  const isConfig = validatorOf(ruleIds)
  const value: unknown = structuredClone(given)
  if (isConfig(value)) return frozen(value)
  const [error] = isConfig.errors ?? []
  throw new HitlessError('HITLESS_CONFIG', `${file}: ${error === undefined ? 'is not valid' : complaint(error)}`)
}

/** A field that a command line sets in place of the file. */
export interface Setting {
  /** `--port` */
  readonly flag: string
  readonly section: 'server' | 'settle' | 'log'
  readonly field: string
  /** As it was written; undefined where it was not. */
  readonly value: string | undefined
}

/** The configuration with these fields in place of its own. Throws HITLESS_USAGE for what the schema does not allow. */
export function withSettings(config: Config, settings: readonly Setting[], ruleIds: readonly string[]): Config {
  const isConfig = validatorOf(ruleIds)
  let current = config
  for (const { flag, section, field, value } of settings) {
    if (value === undefined) continue
    const next: unknown = { ...current, [section]: { ...current[section], [field]: /^-?\d+$/.test(value) ? Number(value) : value } }
    if (!isConfig(next)) {
      const [error] = isConfig.errors ?? []
      throw new HitlessError('HITLESS_USAGE', `${flag} ${value}: ${error === undefined ? 'is not valid' : demand(error)}`)
    }
    current = frozen(next)
  }
  return current
}

/** What a cluster gets whose owners said nothing. */
export function defaultConfig(ruleIds: readonly string[]): Config {
  return parseConfig('{ apiVersion: hitless.io/v1, kind: Config }', 'defaults', ruleIds)
}

/** What the model needs of it. */
export function settingsOf({ settings, mesh }: Pick<Config, 'settings' | 'mesh'>): GivenSettings {
  return { ...settings, ...mesh }
}

/** What the review layer needs of it. */
export function policyOf(config: Config): Policy {
  const {
    mode,
    rules,
    versionLabels,
    appLabels,
    exemptNamespaces,
    dryRun,
    whenStale,
    disclosure,
    exemptions,
    fallbackAtGateways,
    plainHosts
  } = config
  const labelKeys = { version: versionLabels, app: appLabels }
  return {
    mode,
    rules,
    labelKeys,
    exemptNamespaces,
    dryRun,
    whenStale,
    fallbackAtGateways,
    plainHosts,
    showForeignNames: disclosure.objectNames,
    exemptionsNeedAccess: exemptions.checkAccess
  }
}

function parseYaml(content: string, file: string): unknown {
  try {
    return load(content)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
    throw new HitlessError('HITLESS_CONFIG', `${file}: ${reason}`, { cause })
  }
}

function complaint(error: ErrorObject): string {
  const { keyword, instancePath, params, parentSchema } = error
  const path = instancePath.slice(1).replaceAll('/', '.')
  if (keyword === 'additionalProperties') {
    const key = String(params['additionalProperty'])
    const known = nearest(key, Object.keys(parentSchema?.['properties'] ?? {}))
    return `${path === '' ? key : `${path}.${key}`} is not known${known === null ? '' : `; do you mean ${known}?`}`
  }
  return `${path || 'the file'} ${demand(error)}`
}

function demand({ keyword, message = 'is not valid', params }: ErrorObject): string {
  const allowed = keyword === 'enum' ? params['allowedValues'] : keyword === 'const' ? [params['allowedValue']] : null
  return Array.isArray(allowed) ? `must be ${allowed.length > 1 ? 'one of ' : ''}${allowed.join(', ')}` : message
}

function fields(properties: Schema): Schema {
  return { type: 'object', additionalProperties: false, properties }
}

/** Where absent, it is filled with the defaults of its fields. */
function section(description: string, properties: Schema): Schema {
  return { ...said(description), ...fields(properties), default: {} }
}

function modes(ruleIds: readonly string[]): Schema {
  return Object.fromEntries(ruleIds.map((id) => [id, { enum: ['deny', 'warn', 'off'] }]))
}

function choice(description: string, fallback: string, values: readonly string[]): Schema {
  return { ...said(description), enum: values, default: fallback }
}

function text(description: string, fallback: string): Schema {
  return { ...said(description), type: 'string', minLength: 1, default: fallback }
}

function names(description: string, fallback: readonly string[]): Schema {
  return { ...said(description), type: 'array', items: { type: 'string', minLength: 1 }, uniqueItems: true, default: fallback }
}

function count(description: string, fallback: number, minimum: number, maximum: number): Schema {
  return { ...said(description), type: 'integer', minimum, maximum, default: fallback }
}

/** Without a default: something else tells where nobody does here. */
function given(schema: Schema, description: string): Schema {
  return { ...said(description), ...schema }
}

function said(description: string): Schema {
  return description === '' ? {} : { description }
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
