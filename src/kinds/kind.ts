/** What a kind is to hitless: everything that is true of one kind of object stands in one value of this type. */
import type { Domain } from '../mesh/names/hosts.ts'
import type { Labels } from '../mesh/names/labels.ts'
import { own } from '../mesh/names/own.ts'
import type { Fields } from './fields.ts'
import { EXPORT_TO, type Identity, NAME_OVERRIDE, REVISION } from './identity.ts'

/** Where the API server has the objects of a kind. */
export interface Api {
  readonly group: string
  /** Newest first. */
  readonly versions: readonly string[]
  readonly plural: string
  readonly namespaced: boolean
  /** What manifests call it, where the model has another name for it. */
  readonly kind?: string
  /** Where absent, objects of any name. */
  readonly names?: RegExp
}

/** The parts of a manifest; `spec` and `status` are empty where the manifest has none. */
export interface Manifest {
  readonly raw: unknown
  readonly fields: Fields
  readonly spec: Fields
  readonly status: Fields
}

/**
 * What a change of an object can alter. `affected.ts` finds the hosts and clients behind each:
 * `service`: who calls the host, and whoever routes to it. `senders`: whoever routes to the host, which may be a wildcard. `claims`: the hosts
 * themselves, at `mesh` and at Gateways by `namespace/name`. `roots`: whoever delegates to the VirtualService `namespace/name`.
 * `workloads`: every service that selects workloads with one of these labels, or those that the owner `namespace/kind/name` has, and every Gateway whose
 * proxies they are. `bytes`: the hosts that share the listener of all addresses on a port. `gateway`: all that the proxies of the Gateway `namespace/name` serve. `clients`: all that the clients of a namespace reach; those
 * of the root namespace's Sidecar are everywhere.
 */
export type Reach =
  | { readonly through: 'service'; readonly host: string }
  | { readonly through: 'senders'; readonly host: string }
  | { readonly through: 'claims'; readonly hosts: readonly string[]; readonly gateways: readonly string[] }
  | { readonly through: 'roots'; readonly delegate: string }
  | { readonly through: 'workloads'; readonly namespace: string; readonly labels: Labels; readonly owner: string }
  | { readonly through: 'bytes'; readonly port: number }
  | { readonly through: 'gateway'; readonly gateway: string }
  | { readonly through: 'clients'; readonly namespace: string }

/**
 * Where the audit looks for gaps when an object changes. `reach`: at all that the change can alter. `selecting`: at the Services that select it.
 * `discovery`: everywhere, where istiod chooses its namespaces by their labels; else nowhere. `everywhere`: objects of the kind change seldom and reach far.
 */
export type AuditScope = 'reach' | 'selecting' | 'discovery' | 'everywhere' | 'nowhere'

interface AnyObject extends Identity {
  readonly kind: string
}

export interface KindModule<O extends AnyObject, I extends string> {
  readonly kind: O['kind']
  readonly api: Api
  /**
   * The object as the model reads it, every name in it completed for the domain. Throws `InvalidField` where a field has a type that the API
   * server would refuse.
   */
  readonly parse: (manifest: Manifest, identity: Identity, domain: Domain) => O
  /** Why Istio's own webhook would refuse the object, parsed `AS_WRITTEN` (2.4). It sees one object at a time: nothing here asks for another (2.7). */
  readonly refusals?: (object: O) => Iterable<string>
  /** A written object as the API server stores it over another: with what it allocated itself, and keeps where a write leaves it out. */
  readonly storedOver?: (written: O, stored: O) => O
  /** For each index, the keys under which an object stands. */
  readonly indexes: Readonly<Record<I, (object: O) => readonly string[]>>
  /** Kept by the live cluster; false where the model reads the kind in files alone. */
  readonly watched: boolean
  /** An object that can no longer be read counts as it last was, and not as unknown: there is one, and everything rests on it. */
  readonly keepsReadable: boolean
  /** Writes of it are judged: the webhook is asked about them. */
  readonly judged: boolean
  /** What of an object decides about requests: writes between which it does not differ are admitted at once. */
  readonly decides: (object: O) => unknown
  readonly reach: (object: O) => readonly Reach[]
  /** istiod may push for the change of an object from one state to another, null where it is not there. What istiod does not read is never pushed. */
  readonly pushed: (before: O | null, after: O | null) => boolean
  /** The change of an object, null where it is not there, takes away something that a route elsewhere may still send to. */
  readonly takesAway: (before: O | null, after: O | null) => boolean
  /** A change that decides brings or alters something that a route elsewhere relies on, so that whoever newly sends there may have to wait for it. */
  readonly provides: (before: O | null, after: O | null) => boolean
  /** Requests come into the mesh through it: a change may take away a listener, or whom one takes routes of. */
  readonly isEntrance: boolean
  readonly audited: AuditScope
}

const DEFAULTS = {
  decides: withoutMetadata,
  reach: () => [],
  pushed: () => true,
  takesAway: () => false,
  provides: () => false,
  isEntrance: false,
  watched: true,
  keepsReadable: false,
  judged: false,
  audited: 'everywhere'
} as const

/**
 * A kind, with what is true of most where `module` does not say: it is watched and pushed, writes of it are not judged, and nothing is reached. All of it
 * decides but the metadata, of which there remain exportTo, the revision, and the Service that a Gateway names.
 */
export function defineKind<O extends AnyObject, I extends string>(
  module: Omit<KindModule<O, I>, keyof typeof DEFAULTS> & Partial<KindModule<O, I>>
): KindModule<O, I> {
  return { ...DEFAULTS, ...module }
}

function withoutMetadata(object: AnyObject): unknown {
  const { uid: _u, resourceVersion: _r, createdMs: _c, labels, annotations, deleting: _d, finalizers: _f, owners: _o, ...spec } = object
  return [spec, annotations[EXPORT_TO], annotations[NAME_OVERRIDE], own(labels, REVISION)]
}

const ISTIO_VERSIONS = ['v1', 'v1beta1', 'v1alpha3']

/** The three versions of Istio's networking API mean the same (1.7). */
export function istioApi(plural: string): Api {
  return { group: 'networking.istio.io', versions: ISTIO_VERSIONS, plural, namespaced: true }
}
