/** From manifests, as the API server stores or a file holds them, to the objects of the model. */

import type {
  Deployment,
  Destination,
  DestinationRule,
  EndpointSlice,
  Gateway,
  HttpMatch,
  HttpRoute,
  Kind,
  L4Match,
  L4Route,
  Labels,
  MeshObject,
  Mirror,
  Namespace,
  Pod,
  Service,
  ServiceEntry,
  Sidecar,
  StringMatch,
  VirtualService,
  WorkloadEntry
} from '../mesh/snapshot/objects.ts'
import { Fields, InvalidField, isRecord } from './fields.ts'
import { misplacedFields } from './misplaced.ts'

type Identity = Omit<Namespace, 'kind'>

/** Annotations that the model or a rule reads; all others are dropped. */
const KEPT_ANNOTATIONS = [
  'networking.istio.io/exportTo',
  'argo-rollouts.argoproj.io/managed-by-rollouts',
  'hitless.io/allow',
  'argocd.argoproj.io/tracking-id',
  'meta.helm.sh/release-name'
]

const ISTIO_VERSIONS = ['v1', 'v1beta1', 'v1alpha3']

/** The API group and versions (newest first) of each kind that the model reads. */
export const APIS: Readonly<Record<Kind, { group: string; versions: readonly string[]; plural: string; namespaced: boolean }>> = {
  Namespace: { group: '', versions: ['v1'], plural: 'namespaces', namespaced: false },
  Service: { group: '', versions: ['v1'], plural: 'services', namespaced: true },
  Pod: { group: '', versions: ['v1'], plural: 'pods', namespaced: true },
  Deployment: { group: 'apps', versions: ['v1'], plural: 'deployments', namespaced: true },
  EndpointSlice: { group: 'discovery.k8s.io', versions: ['v1'], plural: 'endpointslices', namespaced: true },
  VirtualService: { group: 'networking.istio.io', versions: ISTIO_VERSIONS, plural: 'virtualservices', namespaced: true },
  DestinationRule: { group: 'networking.istio.io', versions: ISTIO_VERSIONS, plural: 'destinationrules', namespaced: true },
  Gateway: { group: 'networking.istio.io', versions: ISTIO_VERSIONS, plural: 'gateways', namespaced: true },
  ServiceEntry: { group: 'networking.istio.io', versions: ISTIO_VERSIONS, plural: 'serviceentries', namespaced: true },
  WorkloadEntry: { group: 'networking.istio.io', versions: ISTIO_VERSIONS, plural: 'workloadentries', namespaced: true },
  Sidecar: { group: 'networking.istio.io', versions: ISTIO_VERSIONS, plural: 'sidecars', namespaced: true }
}

/** The kind that an apiVersion and kind name, or null where the model does not read it (1.7: the three Istio versions mean the same). */
export function kindOf(apiVersion: string, kind: string): Kind | null {
  if (!Object.hasOwn(APIS, kind)) return null
  const api = APIS[kind as Kind]
  return api.versions.some((version) => apiVersion === (api.group === '' ? version : `${api.group}/${version}`)) ? (kind as Kind) : null
}

/**
 * Parses a manifest. Gives null for a kind that the model does not read; throws `InvalidField` where a field has a type that the API
 * server would refuse.
 */
export function parseObject(raw: unknown): MeshObject | null {
  const fields = new Fields(raw)
  const kind = kindOf(fields.string('apiVersion'), fields.string('kind'))
  return kind === null ? null : parseAs(kind, raw)
}

/** Parses what is known to be a `kind`, as items of a list are, which name none themselves. */
export function parseAs<K extends Kind>(kind: K, raw: unknown): Extract<MeshObject, { kind: K }>
export function parseAs(kind: Kind, raw: unknown): MeshObject {
  const fields = new Fields(raw)
  const identity = parseIdentity(fields, APIS[kind].namespaced)
  const spec = fields.child('spec') ?? new Fields({}, ['spec'])
  const status = fields.child('status') ?? new Fields({}, ['status'])
  switch (kind) {
    case 'Namespace':
      return { kind, ...identity, deleting: identity.deleting || status.string('phase') === 'Terminating' }
    case 'Service':
      return parseService(identity, spec)
    case 'VirtualService':
      return { ...parseVirtualService(identity, spec), misplaced: misplacedFields(raw) }
    case 'DestinationRule':
      return parseDestinationRule(identity, spec)
    case 'Gateway':
      return parseGateway(identity, spec)
    case 'ServiceEntry':
      return parseServiceEntry(identity, spec)
    case 'WorkloadEntry':
      return parseWorkloadEntry(identity, spec)
    case 'Sidecar':
      return parseSidecar(identity, spec)
    case 'Pod':
      return parsePod(identity, fields, spec, status)
    case 'Deployment':
      return parseDeployment(identity, spec, status)
    case 'EndpointSlice':
      return parseEndpointSlice(identity, fields)
  }
}

function parseIdentity(fields: Fields, namespaced: boolean): Identity {
  const metadata = fields.child('metadata') ?? new Fields({}, ['metadata'])
  const annotations = metadata.child('annotations')
  const created = metadata.string('creationTimestamp')
  return {
    namespace: namespaced ? metadata.string('namespace', 'default') : '',
    name: metadata.string('name'),
    uid: metadata.string('uid'),
    resourceVersion: metadata.string('resourceVersion'),
    createdMs: created === '' ? 0 : Date.parse(created) || 0,
    deleting: metadata.has('deletionTimestamp'),
    labels: metadata.labels('labels'),
    annotations: Object.fromEntries(
      KEPT_ANNOTATIONS.filter((key) => annotations?.has(key)).map((key) => [key, annotations?.string(key) ?? ''])
    )
  }
}

function parseService(identity: Identity, spec: Fields): Service {
  const selector = spec.labels('selector')
  const exportTo = identity.annotations['networking.istio.io/exportTo'] ?? ''
  return {
    kind: 'Service',
    ...identity,
    selector: Object.keys(selector).length === 0 ? null : selector,
    ports: spec.children('ports').map((port) => ({
      name: port.string('name'),
      port: port.number('port', 0),
      targetPort: port.numberOrString('targetPort', port.number('port', 0)),
      protocol: port.string('protocol', 'TCP'),
      appProtocol: port.string('appProtocol')
    })),
    externalName: spec.string('type') === 'ExternalName' ? spec.string('externalName') : null,
    headless: spec.string('clusterIP') === 'None',
    publishNotReadyAddresses: spec.boolean('publishNotReadyAddresses'),
    internalTrafficLocal: spec.string('internalTrafficPolicy') === 'Local',
    exportTo: exportTo
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
  }
}

function parseVirtualService(identity: Identity, spec: Fields): VirtualService {
  return {
    kind: 'VirtualService',
    ...identity,
    hosts: spec.strings('hosts'),
    gateways: spec.strings('gateways'),
    exportTo: spec.strings('exportTo'),
    http: spec.children('http').map(parseHttpRoute),
    tls: spec.children('tls').map(parseL4Route),
    tcp: spec.children('tcp').map(parseL4Route),
    misplaced: []
  }
}

function parseHttpRoute(rule: Fields): HttpRoute {
  const redirect = rule.child('redirect')
  const direct = rule.child('directResponse')
  const delegate = rule.child('delegate')
  const mirror = rule.child('mirror')
  const percentage = rule.child('mirrorPercentage')?.number('value', 0) ?? rule.number('mirrorPercent', 100)
  const mirrors: Mirror[] = mirror === null ? [] : [{ ...parseDestination(mirror, 0), percentage }]
  for (const each of rule.children('mirrors')) {
    const destination = each.child('destination')
    if (destination === null) continue
    mirrors.push({ ...parseDestination(destination, 0), percentage: each.child('percentage')?.number('value', 0) ?? 100 })
  }
  return {
    path: rule.path,
    name: rule.string('name'),
    match: rule.children('match').map(parseHttpMatch),
    route: rule.children('route').map(parseWeighted),
    redirect: redirect === null ? null : { code: redirect.number('redirectCode', 301) },
    directResponse: direct === null ? null : { status: direct.number('status', 0) },
    delegate: delegate === null ? null : { namespace: delegate.string('namespace'), name: delegate.string('name') },
    mirrors
  }
}

function parseWeighted(weighted: Fields): Destination {
  const destination = weighted.child('destination') ?? new Fields({}, [...weighted.path, 'destination'])
  return parseDestination(destination, weighted.number('weight', 0))
}

/** `destination.host` is required by the schema (2.3). */
function parseDestination(destination: Fields, weight: number): Destination {
  if (!destination.has('host')) throw new InvalidField([...destination.path, 'host'], 'a string', 'absent')
  const subset = destination.string('subset')
  const port = destination.child('port')?.number('number', 0) ?? 0
  return { path: destination.path, host: destination.string('host'), subset: subset === '' ? null : subset, port: port || null, weight }
}

function parseHttpMatch(match: Fields): HttpMatch {
  return {
    path: match.path,
    uri: parseStringMatch(match.child('uri')),
    ignoreUriCase: match.boolean('ignoreUriCase'),
    scheme: parseStringMatch(match.child('scheme')),
    method: parseStringMatch(match.child('method')),
    authority: parseStringMatch(match.child('authority')),
    headers: parseStringMatches(match.child('headers')),
    withoutHeaders: parseStringMatches(match.child('withoutHeaders')),
    queryParams: parseStringMatches(match.child('queryParams')),
    port: match.number('port', 0) || null,
    gateways: match.strings('gateways'),
    sourceLabels: match.labels('sourceLabels'),
    sourceNamespace: match.string('sourceNamespace')
  }
}

/** `{}` says nothing about a uri or method (5.1), so it is no condition. */
function parseStringMatch(match: Fields | null): StringMatch | null {
  if (match === null) return null
  for (const type of ['exact', 'prefix', 'regex'] as const) if (match.has(type)) return { type, value: match.string(type) }
  return null
}

/** `{}` as the value of a header or query parameter means that it is present (4.6). */
function parseStringMatches(matches: Fields | null): Readonly<Record<string, StringMatch>> {
  if (matches === null) return {}
  return Object.fromEntries(matches.keys().map((name) => [name, parseStringMatch(matches.child(name)) ?? { type: 'present' }]))
}

function parseL4Route(rule: Fields): L4Route {
  return { path: rule.path, match: rule.children('match').map(parseL4Match), route: rule.children('route').map(parseWeighted) }
}

function parseL4Match(match: Fields): L4Match {
  return {
    path: match.path,
    port: match.number('port', 0) || null,
    sniHosts: match.strings('sniHosts'),
    destinationSubnets: match.strings('destinationSubnets'),
    gateways: match.strings('gateways'),
    sourceLabels: match.labels('sourceLabels'),
    sourceNamespace: match.string('sourceNamespace')
  }
}

function parseDestinationRule(identity: Identity, spec: Fields): DestinationRule {
  return {
    kind: 'DestinationRule',
    ...identity,
    host: spec.string('host'),
    exportTo: spec.strings('exportTo'),
    subsets: spec
      .children('subsets')
      .map((subset) => ({ path: subset.path, name: subset.string('name'), labels: subset.labels('labels') })),
    workloadSelector: spec.child('workloadSelector')?.labels('matchLabels') ?? null,
    hasTrafficPolicy: spec.has('trafficPolicy')
  }
}

function parseGateway(identity: Identity, spec: Fields): Gateway {
  return {
    kind: 'Gateway',
    ...identity,
    selector: spec.labels('selector'),
    servers: spec.children('servers').map((server) => {
      const port = server.child('port') ?? new Fields({}, [...server.path, 'port'])
      const tls = server.child('tls')
      return {
        port: port.number('number', 0),
        portName: port.string('name'),
        protocol: port.string('protocol').toUpperCase(),
        hosts: server.strings('hosts'),
        tlsMode: tls === null ? '' : String(tls.numberOrString('mode', 0)),
        httpsRedirect: tls?.boolean('httpsRedirect') ?? false
      }
    })
  }
}

function parseServiceEntry(identity: Identity, spec: Fields): ServiceEntry {
  return {
    kind: 'ServiceEntry',
    ...identity,
    hosts: spec.strings('hosts'),
    addresses: spec.strings('addresses'),
    ports: spec.children('ports').map((port) => ({
      name: port.string('name'),
      number: port.number('number', 0),
      protocol: port.string('protocol'),
      targetPort: port.number('targetPort', 0) || null
    })),
    location: String(spec.numberOrString('location', 0)),
    resolution: String(spec.numberOrString('resolution', 0)),
    endpoints: spec.children('endpoints').map((endpoint) => ({ address: endpoint.string('address'), labels: endpoint.labels('labels') })),
    workloadSelector: spec.child('workloadSelector')?.labels('labels') ?? null,
    exportTo: spec.strings('exportTo')
  }
}

function parseWorkloadEntry(identity: Identity, spec: Fields): WorkloadEntry {
  return {
    kind: 'WorkloadEntry',
    ...identity,
    address: spec.string('address'),
    workloadLabels: spec.labels('labels'),
    portNames: spec.child('ports')?.keys() ?? []
  }
}

function parseSidecar(identity: Identity, spec: Fields): Sidecar {
  const outbound = spec.child('outboundTrafficPolicy')
  return {
    kind: 'Sidecar',
    ...identity,
    workloadSelector: spec.child('workloadSelector')?.labels('labels') ?? null,
    egress: spec.children('egress').map((egress) => ({
      port: egress.child('port')?.number('number', 0) || null,
      hosts: egress.strings('hosts')
    })),
    outboundMode: outbound === null ? '' : String(outbound.numberOrString('mode', 0))
  }
}

function parsePod(identity: Identity, fields: Fields, spec: Fields, status: Fields): Pod {
  const conditions = status.children('conditions')
  const phase = status.string('phase')
  return {
    kind: 'Pod',
    ...identity,
    ready:
      phase !== 'Succeeded' &&
      phase !== 'Failed' &&
      conditions.some((condition) => condition.string('type') === 'Ready' && condition.string('status') === 'True'),
    node: spec.string('nodeName'),
    portNames: portNames(spec),
    deployment: deploymentOf(identity.labels, fields)
  }
}

/** A Deployment names its ReplicaSets `<deployment>-<pod-template-hash>` (pkg/controller/deployment/sync.go of Kubernetes). */
function deploymentOf(labels: Labels, fields: Fields): string {
  const hash = labels['pod-template-hash']
  if (hash === undefined) return ''
  for (const owner of fields.child('metadata')?.children('ownerReferences') ?? []) {
    const name = owner.string('name')
    if (owner.string('kind') === 'ReplicaSet' && name.endsWith(`-${hash}`)) return name.slice(0, -hash.length - 1)
  }
  return ''
}

function portNames(podSpec: Fields): string[] {
  return podSpec
    .children('containers')
    .flatMap((container) => container.children('ports'))
    .map((port) => port.string('name'))
    .filter((name) => name !== '')
}

function parseDeployment(identity: Identity, spec: Fields, status: Fields): Deployment {
  const template = spec.child('template')
  const replicas = spec.number('replicas', 1)
  const podSpec = template?.child('spec') ?? null
  return {
    kind: 'Deployment',
    ...identity,
    replicas,
    status:
      status.keys().length === 0 ? null : { replicas: status.number('replicas', 0), readyReplicas: status.number('readyReplicas', 0) },
    templateLabels: template?.child('metadata')?.labels('labels') ?? {},
    templatePortNames: podSpec === null ? [] : portNames(podSpec)
  }
}

function parseEndpointSlice(identity: Identity, fields: Fields): EndpointSlice {
  const endpoints = fields.children('endpoints').map((endpoint) => ({
    ready: endpoint.child('conditions')?.has('ready') === true ? (endpoint.child('conditions')?.boolean('ready') ?? false) : true,
    pod: endpoint.child('targetRef')?.string('name') ?? '',
    addresses: endpoint.strings('addresses').length
  }))
  return {
    kind: 'EndpointSlice',
    ...identity,
    service: identity.labels['kubernetes.io/service-name'] ?? '',
    portNames: fields.children('ports').map((port) => port.string('name')),
    ports: fields.children('ports').map((port) => port.number('port', 0)),
    readyAddresses: endpoints.reduce((sum, { ready, addresses }) => sum + (ready ? addresses : 0), 0),
    endpoints: endpoints.map(({ ready, pod }) => ({ ready, pod }))
  }
}

/** True where `value` is a manifest: it names an apiVersion and a kind. */
export function isManifest(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && typeof value['apiVersion'] === 'string' && typeof value['kind'] === 'string'
}
