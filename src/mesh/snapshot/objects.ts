/**
 * The objects of the mesh as the model reads them: parsed once at the edge (`parse.ts`), read-only ever after. Only the fields that
 * decide whether a request is answered are kept. Names are those of Istio's and Kubernetes' own APIs.
 */

export type Labels = Readonly<Record<string, string>>

/** Where in a manifest a value stands: `['spec', 'http', 0, 'route', 1]`. `formatPath` writes it as Kubernetes does. */
export type Path = readonly (string | number)[]

interface Identity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  /** Milliseconds since the epoch; 0 where the object has no creationTimestamp yet. Age decides precedence (istio-semantics 3.3, 10.6). */
  readonly createdMs: number
  /** It has a deletionTimestamp. */
  readonly deleting: boolean
  readonly labels: Labels
  /** Only the annotations that hitless or its rules read (`KEPT_ANNOTATIONS` in parse.ts). */
  readonly annotations: Labels
}

export interface ServicePort {
  readonly name: string
  readonly port: number
  /** A string is the name of a container port. */
  readonly targetPort: number | string
  readonly protocol: string
  readonly appProtocol: string
}

export interface Service extends Identity {
  readonly kind: 'Service'
  /** null: no selector, so its endpoints are not known from Pods. */
  readonly selector: Labels | null
  readonly ports: readonly ServicePort[]
  readonly externalName: string | null
  readonly headless: boolean
  readonly publishNotReadyAddresses: boolean
  readonly internalTrafficLocal: boolean
  /** From the annotation networking.istio.io/exportTo; empty means everywhere. */
  readonly exportTo: readonly string[]
}

export type StringMatch =
  | { readonly type: 'exact' | 'prefix' | 'regex'; readonly value: string }
  /** `{}` as a header or query value. */
  | { readonly type: 'present' }

export interface HttpMatch {
  readonly path: Path
  readonly uri: StringMatch | null
  readonly ignoreUriCase: boolean
  readonly scheme: StringMatch | null
  readonly method: StringMatch | null
  readonly authority: StringMatch | null
  readonly headers: Readonly<Record<string, StringMatch>>
  readonly withoutHeaders: Readonly<Record<string, StringMatch>>
  readonly queryParams: Readonly<Record<string, StringMatch>>
  /** These four are decided when Istio generates routes, not by the request (4.3). */
  readonly port: number | null
  readonly gateways: readonly string[]
  readonly sourceLabels: Labels
  readonly sourceNamespace: string
}

export interface Destination {
  readonly path: Path
  /** As written; `resolveHost` completes it. */
  readonly host: string
  readonly subset: string | null
  readonly port: number | null
  /** 0 where absent. */
  readonly weight: number
}

export interface Mirror extends Destination {
  readonly percentage: number
}

export interface HttpRoute {
  readonly path: Path
  readonly name: string
  readonly match: readonly HttpMatch[]
  readonly route: readonly Destination[]
  readonly redirect: { readonly code: number } | null
  readonly directResponse: { readonly status: number } | null
  readonly delegate: { readonly namespace: string; readonly name: string } | null
  readonly mirrors: readonly Mirror[]
}

/** A match of a tcp or tls rule. */
export interface L4Match {
  readonly path: Path
  readonly port: number | null
  readonly sniHosts: readonly string[]
  readonly destinationSubnets: readonly string[]
  readonly gateways: readonly string[]
  readonly sourceLabels: Labels
  readonly sourceNamespace: string
}

export interface L4Route {
  readonly path: Path
  readonly match: readonly L4Match[]
  readonly route: readonly Destination[]
}

/** A field that its author wrote where the API knows no such field, so that the API server drops it without a word (2.1). */
export interface MisplacedField {
  readonly path: Path
  readonly field: string
  /** `object`: it stands in the manifest itself; `last-applied`: only kubectl's annotation still shows it. */
  readonly source: 'object' | 'last-applied'
}

export interface VirtualService extends Identity {
  readonly kind: 'VirtualService'
  readonly hosts: readonly string[]
  readonly gateways: readonly string[]
  readonly exportTo: readonly string[]
  readonly http: readonly HttpRoute[]
  readonly tls: readonly L4Route[]
  readonly tcp: readonly L4Route[]
  readonly misplaced: readonly MisplacedField[]
}

export interface Subset {
  readonly path: Path
  readonly name: string
  readonly labels: Labels
}

export interface DestinationRule extends Identity {
  readonly kind: 'DestinationRule'
  readonly host: string
  readonly exportTo: readonly string[]
  readonly subsets: readonly Subset[]
  /** matchLabels of spec.workloadSelector; null where absent. */
  readonly workloadSelector: Labels | null
  readonly hasTrafficPolicy: boolean
}

export interface GatewayServer {
  readonly port: number
  readonly portName: string
  readonly protocol: string
  readonly hosts: readonly string[]
  readonly tlsMode: string
  readonly httpsRedirect: boolean
}

export interface Gateway extends Identity {
  readonly kind: 'Gateway'
  readonly selector: Labels
  readonly servers: readonly GatewayServer[]
}

export interface ServiceEntryPort {
  readonly name: string
  readonly number: number
  readonly protocol: string
  readonly targetPort: number | null
}

export interface WorkloadAddress {
  readonly address: string
  readonly labels: Labels
}

export interface ServiceEntry extends Identity {
  readonly kind: 'ServiceEntry'
  readonly hosts: readonly string[]
  readonly addresses: readonly string[]
  readonly ports: readonly ServiceEntryPort[]
  readonly location: string
  readonly resolution: string
  readonly endpoints: readonly WorkloadAddress[]
  readonly workloadSelector: Labels | null
  readonly exportTo: readonly string[]
}

export interface WorkloadEntry extends Identity {
  readonly kind: 'WorkloadEntry'
  readonly address: string
  /** spec.labels, which Istio joins with the object's own labels. */
  readonly workloadLabels: Labels
  /** Names of the ports that it gives numbers to. */
  readonly portNames: readonly string[]
}

export interface SidecarEgress {
  readonly port: number | null
  readonly hosts: readonly string[]
}

export interface Sidecar extends Identity {
  readonly kind: 'Sidecar'
  readonly workloadSelector: Labels | null
  readonly egress: readonly SidecarEgress[]
  /** The mode of its outboundTrafficPolicy; '' where it has none. */
  readonly outboundMode: string
}

export interface Pod extends Identity {
  readonly kind: 'Pod'
  readonly ready: boolean
  readonly node: string
  /** Names of its containers' ports. */
  readonly portNames: readonly string[]
  /** The Deployment behind its ReplicaSet, by the naming rule `<deployment>-<pod-template-hash>`; '' where there is none. */
  readonly deployment: string
}

export interface Deployment extends Identity {
  readonly kind: 'Deployment'
  readonly replicas: number
  /** Pods that exist and Pods that are Ready, as status tells; null where the object has no status, as in a file. */
  readonly status: { readonly replicas: number; readonly readyReplicas: number } | null
  /** Labels of the Pod template. */
  readonly templateLabels: Labels
  readonly templatePortNames: readonly string[]
}

export interface EndpointSlice extends Identity {
  readonly kind: 'EndpointSlice'
  /** From the label kubernetes.io/service-name. */
  readonly service: string
  readonly portNames: readonly string[]
  readonly ports: readonly number[]
  readonly readyAddresses: number
  readonly endpoints: readonly { readonly ready: boolean; readonly pod: string }[]
}

export interface Namespace extends Identity {
  readonly kind: 'Namespace'
}

export type MeshObject =
  | Service
  | VirtualService
  | DestinationRule
  | Gateway
  | ServiceEntry
  | WorkloadEntry
  | Sidecar
  | Pod
  | Deployment
  | EndpointSlice
  | Namespace

export type Kind = MeshObject['kind']
export type ObjectOf<K extends Kind> = Extract<MeshObject, { kind: K }>

/** The name of an object in messages and maps. */
export interface ObjectRef {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
}

/** `VirtualService prod/reviews`. */
export function formatRef(ref: ObjectRef): string {
  return ref.namespace === '' ? `${ref.kind} ${ref.name}` : `${ref.kind} ${ref.namespace}/${ref.name}`
}

/** `['spec','http',1,'route',0]` -> `spec.http[1].route[0]`. */
export function formatPath(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step)}]`
  }
  return text
}
