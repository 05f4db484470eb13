/** The mesh's own settings, and what of a cluster is there for it. */
import { REVISION } from '../../kinds/identity.ts'
import { type Kind, kindModule, type MeshObject } from '../../kinds/index.ts'
import { DEFAULT_DOMAIN } from '../names/hosts.ts'
import { own } from '../names/own.ts'

export interface MeshSettings {
  /** `rootNamespace` of the mesh configuration. */
  readonly rootNamespace: string
  /** The cluster's DNS domain. */
  readonly domain: string
  /** The revision of the istiod that runs the mesh: it reads no configuration that is labelled for another (1.8). */
  readonly revision: string
  /** Hosts that a client does not know are passed on to their address; REGISTRY_ONLY refuses them. */
  readonly outboundTrafficPolicy?: OutboundTrafficPolicy
  /** `several`: Pods of other clusters stand behind the same hosts, so that none here does not mean none. */
  readonly clusters?: 'one' | 'several'
  /** The name that istiod gives this cluster, by which subsets may select (11.3); `Kubernetes` where it was given none. */
  readonly clusterName?: string
  /** The namespaces in which clients are known to be; where it is absent they may be in any that exists. */
  readonly clientNamespaces?: ReadonlySet<string>
}

export type OutboundTrafficPolicy = 'ALLOW_ANY' | 'REGISTRY_ONLY'

export const DEFAULT_SETTINGS: MeshSettings = { rootNamespace: 'istio-system', domain: DEFAULT_DOMAIN, revision: 'default' }

/** Of what istiod takes for configuration. */
const GROUPS = ['networking.istio.io', 'security.istio.io', 'gateway.networking.k8s.io']

/** The object is there for this mesh. Revision tags count for nothing here (1.8). */
export function isOfMesh({ kind, labels }: MeshObject, { revision }: MeshSettings): boolean {
  const asked = own(labels, REVISION)
  if (asked === undefined || asked === revision || kind === 'KubernetesGateway') return true
  return !GROUPS.includes(kindModule<Kind>(kind).api.group)
}
