/** Releases, each as one list of writes that is played without hitless and with it. */
import { DEBUG, destinationRule, HOST, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { CLIENTS, INGRESS } from './addresses.ts'
import type { LoadClass } from './load.ts'
import { helloworld, workload } from './objects.ts'

interface Writing {
  readonly what: string
  /** The user who writes it. Default: an administrator. */
  readonly as?: string
  /** It follows the write before it at once, as the tool does it, and not when the proxies know that one. */
  readonly atOnce?: boolean
}

export type WriteStep = Writing &
  (
    | { readonly do: 'apply' | 'delete'; readonly object: Manifest }
    | { readonly do: 'scale'; readonly object: Manifest; readonly replicas: number }
  )

export type Step =
  | WriteStep
  /** From here on the version's Pods stay unready, until they are let go. */
  | { readonly do: 'hold'; readonly version: string }
  | { readonly do: 'let go'; readonly version: string }

export interface Script {
  readonly name: string
  readonly title: string
  readonly classes: readonly LoadClass[]
  /** What stands, and is served, before the first step. */
  readonly base: readonly Manifest[]
  readonly steps: readonly Step[]
  /** Some write of it, made without hitless, drops requests. */
  readonly careless: boolean
}

/** By the client's sidecar: without the header, with it, on another path; and by the gateway. */
export const CLASSES: readonly LoadClass[] = [
  { name: 'plain', proxy: 'sidecar' },
  { name: 'header', proxy: 'sidecar', headers: { 'my-header': 'debug' } },
  { name: 'path', proxy: 'sidecar', path: '/api/items' },
  { name: 'gateway', proxy: 'gateway' }
]
const GATEWAY_CLASSES: readonly LoadClass[] = [
  { name: 'gateway', proxy: 'gateway' },
  { name: 'gateway path', proxy: 'gateway', path: '/api/items' }
]

export const BOUND = { hosts: [HOST], gateways: ['mesh', `${INGRESS}/gateway`] }
const AT_GATEWAY = { hosts: [HOST], gateways: [`${INGRESS}/gateway`] }

export const apply = (what: string, object: Manifest): WriteStep => ({ do: 'apply', what, object })
export const remove = (what: string, object: Manifest): WriteStep => ({ do: 'delete', what, object })
const routed = (...http: readonly Record<string, unknown>[]) => virtualService(http, BOUND)
const atGateway = (name: string, ...http: readonly Record<string, unknown>[]) => virtualService(http, AT_GATEWAY, { name })
const split = (v1: number, v2: number) => routed(rule([to('v1', v1), to('v2', v2)]))
const only = (version: string) => routed(rule([to(version)]))

export const ONE_VERSION = [helloworld(), workload('v1'), destinationRule(['v1']), only('v1')]
const TWO_VERSIONS = [helloworld(), workload('v1'), workload('v2'), destinationRule(['v1', 'v2']), split(50, 50)]

export const GENERIC_SERVICE = apply('Service selects every version', helloworld())
export const ADD_SUBSET = apply('DestinationRule gains v2', destinationRule(['v1', 'v2']))
export const ADD_WORKLOAD = apply('Deployment v2', workload('v2'))
export const weight = (v2: number): WriteStep => apply(`VirtualService ${100 - v2}/${v2}`, split(100 - v2, v2))
export const ALL_TO_V2 = apply('VirtualService all to v2', only('v2'))
export const REMOVE_SUBSET = apply('DestinationRule drops v1', destinationRule(['v2']))
export const REMOVE_WORKLOAD = remove('Deployment v1 deleted', workload('v1'))
export const SCALE_TO_ZERO: WriteStep = { do: 'scale', what: 'Deployment v1 to 0 replicas', object: workload('v1'), replicas: 0 }
export const NO_FALLBACK = apply('VirtualService header only', routed(rule([to('v2')], DEBUG)))
export const PIN_SERVICE = apply('Service selects v1 only', helloworld({ app: 'helloworld', version: 'v1' }))
export const HIDING_RULE = apply('client DestinationRule, no subsets', clientRule([]))
const HARMLESS_RULE = apply('client DestinationRule, both subsets', clientRule(['v1', 'v2']))
const FALLBACK = apply('VirtualService with fallback', routed(rule([to('v2')], DEBUG), rule([to('v1')])))
/** How each careless release ends well. */
const CLEAN_UP = [ALL_TO_V2, REMOVE_SUBSET, REMOVE_WORKLOAD]

const PATH_ROUTE = (version: string) => atGateway('helloworld-api', rule([to(version)], [{ uri: { prefix: '/api' } }]))
const REST_ROUTE = (version: string) => atGateway('helloworld-rest', rule([to(version)]))

export const GUIDE: Script = {
  name: 'guide',
  title: "the guide's order",
  classes: CLASSES,
  base: ONE_VERSION,
  steps: [ADD_SUBSET, ADD_WORKLOAD, weight(10), weight(50), weight(100), ...CLEAN_UP],
  careless: false
}

/** The one in the picture: three mistakes of one afternoon. */
export const CARELESS: Script = careless(
  'careless',
  'three mistakes in one release',
  [...ONE_VERSION, workload('v2')],
  [weight(50), ADD_SUBSET, weight(50), SCALE_TO_ZERO, ALL_TO_V2, SCALE_TO_ZERO, NO_FALLBACK, ALL_TO_V2, REMOVE_SUBSET, REMOVE_WORKLOAD]
)

export const SCRIPTS: readonly Script[] = [
  GUIDE,
  CARELESS,
  careless('subset-gone', 'subset removed too early', TWO_VERSIONS, [REMOVE_SUBSET, ...CLEAN_UP]),
  careless('weight-first', 'weight before the subset', [...ONE_VERSION, workload('v2')], [weight(50), ADD_SUBSET, weight(50), ...CLEAN_UP]),
  careless('unready', 'weight before Pods are Ready', ONE_VERSION, [
    ADD_SUBSET,
    { do: 'hold', version: 'v2' },
    ADD_WORKLOAD,
    weight(30),
    { do: 'let go', version: 'v2' },
    weight(30),
    ...CLEAN_UP
  ]),
  careless('workload-gone', 'v1 deleted too early', TWO_VERSIONS, [REMOVE_WORKLOAD, ...CLEAN_UP]),
  careless('scaled-down', 'v1 scaled to 0 too early', TWO_VERSIONS, [
    SCALE_TO_ZERO,
    ALL_TO_V2,
    SCALE_TO_ZERO,
    REMOVE_SUBSET,
    REMOVE_WORKLOAD
  ]),
  careless('fallback', 'missing fallback', TWO_VERSIONS, [NO_FALLBACK, FALLBACK, ...CLEAN_UP]),
  careless('pinned-service', 'version in the Service selector', TWO_VERSIONS, [PIN_SERVICE, GENERIC_SERVICE, ...CLEAN_UP]),
  careless('hidden', "a client's DestinationRule hides the subsets", TWO_VERSIONS, [
    HIDING_RULE,
    HARMLESS_RULE,
    ALL_TO_V2,
    REMOVE_SUBSET,
    REMOVE_WORKLOAD
  ]),
  {
    name: 'gateway',
    title: 'two VirtualServices at a gateway, one deleted',
    classes: GATEWAY_CLASSES,
    base: [helloworld(), workload('v1'), workload('v2'), destinationRule(['v1', 'v2']), PATH_ROUTE('v1'), REST_ROUTE('v1')],
    steps: [
      remove('VirtualService with the fallback deleted', REST_ROUTE('v1')),
      apply('path and rest in one VirtualService', atGateway('helloworld-api', rule([to('v2')]))),
      remove('VirtualService with the fallback deleted', REST_ROUTE('v1')),
      REMOVE_SUBSET,
      REMOVE_WORKLOAD
    ],
    careless: true
  }
]

function careless(name: string, title: string, base: readonly Manifest[], steps: readonly Step[]): Script {
  return { name, title, classes: CLASSES, base, steps, careless: true }
}

/** A DestinationRule in the clients' namespace comes before that of the Service's namespace. */
function clientRule(versions: readonly string[]): Manifest {
  return destinationRule(versions, { trafficPolicy: { connectionPool: { tcp: { maxConnections: 100 } } } }, { namespace: CLIENTS })
}
