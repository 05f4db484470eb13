/** The mesh's own settings, and what of a cluster is there for it. */
import { type Identity, REVISION } from '../../kinds/identity.ts'
import { type Kind, kindModule, type MeshObject, type ObjectRef } from '../../kinds/index.ts'
import type { MeshConfig, MeshOptions } from '../../kinds/mesh-config.ts'
import { DEFAULT_DOMAIN } from '../names/hosts.ts'
import { labelsOfNamespace, meets } from '../names/labels.ts'
import { own } from '../names/own.ts'

export interface MeshSettings extends MeshOptions {
  /** Whose Sidecars, DestinationRules and PeerAuthentications are for every namespace. */
  readonly rootNamespace: string
  /** Where istiod runs, and has the mesh's configuration. */
  readonly istiodNamespace: string
  /** The cluster's DNS domain. */
  readonly domain: string
  /** The revision of the istiod that runs the mesh: it reads no configuration that is labelled for another (1.8). */
  readonly revision: string
  /** `several`: Pods of other clusters stand behind the same hosts, so that none here does not mean none. */
  readonly clusters?: 'one' | 'several'
  /** The name that istiod gives this cluster, by which subsets may select (11.3); `Kubernetes` where it was given none. */
  readonly clusterName?: string
  /** The namespaces in which clients are known to be; where it is absent they may be in any that exists. */
  readonly clientNamespaces?: ReadonlySet<string>
}

/** What is said of a mesh, before what its own configuration says. */
export type GivenSettings = Partial<MeshSettings>

export const DEFAULT_SETTINGS: MeshSettings = {
  rootNamespace: 'istio-system',
  istiodNamespace: 'istio-system',
  domain: DEFAULT_DOMAIN,
  revision: 'default'
}

/** The ConfigMap that holds the mesh's own configuration (1.9). `getMeshConfigMapName`, pilot/pkg/bootstrap/mesh.go. */
export function meshConfigRef({ istiodNamespace: namespace, revision }: MeshSettings): ObjectRef {
  return { kind: 'MeshConfig', namespace, name: revision === 'default' ? 'istio' : `istio-${revision}` }
}

/** What is given comes before what the mesh's own configuration says, and that before Istio's defaults. */
export function settled(given: GivenSettings, config: MeshConfig | undefined): MeshSettings {
  const istiodNamespace = given.istiodNamespace ?? given.rootNamespace ?? DEFAULT_SETTINGS.istiodNamespace
  return { ...DEFAULT_SETTINGS, istiodNamespace, rootNamespace: istiodNamespace, ...config?.options, ...given }
}

/** API groups of what istiod takes for configuration. */
const GROUPS = ['networking.istio.io', 'security.istio.io', 'gateway.networking.k8s.io']

/** What tells whether an object is there for a mesh. */
export interface Membership {
  readonly settings: MeshSettings
  find(kind: 'Namespace', namespace: '', name: string): Identity | undefined
}

/** The object is there for this mesh: its revision's (1.8), in a namespace that istiod looks at (1.9). */
export function isOfMesh(object: MeshObject, membership: Membership): boolean {
  return object.kind === 'MeshConfig' || (isOfRevision(object, membership.settings) && isDiscovered(object, membership))
}

/** A namespace of which nothing is known, as in files, is taken for one that istiod looks at: what stands in for it has no resourceVersion. */
export function isDiscovered({ namespace }: Pick<MeshObject, 'namespace'>, membership: Membership): boolean {
  const { discoverySelectors } = membership.settings
  if (discoverySelectors === undefined || namespace === '') return true
  const found = membership.find('Namespace', '', namespace)
  if (found === undefined || found.resourceVersion === '') return true
  return discoverySelectors.some((selector) => meets(selector, labelsOfNamespace(namespace, found.labels)))
}

/** The namespace that an update changes is one that istiod looks at no longer. */
export function leavesDiscovery(before: Identity, after: Identity, settings: MeshSettings): boolean {
  const isLookedAt = (state: Identity) =>
    isDiscovered({ namespace: state.name }, { settings, find: () => ({ ...state, resourceVersion: 'seen' }) })
  return isLookedAt(before) && !isLookedAt(after)
}

/** Revision tags count for nothing here. */
function isOfRevision({ kind, labels }: MeshObject, { revision }: MeshSettings): boolean {
  const asked = own(labels, REVISION)
  if (asked === undefined || asked === revision || kind === 'KubernetesGateway') return true
  return !GROUPS.includes(kindModule<Kind>(kind).api.group)
}
