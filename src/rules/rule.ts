/** What a rule is: it gives an opened gap its name and remedy, or checks hygiene that the guide asks for. */

import type { Kind, ObjectOf, ObjectRef } from '../kinds/index.ts'
import type { Gap, Target } from '../mesh/gaps/gaps.ts'
import type { Path } from '../mesh/names/path.ts'
import type { RouteTable } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'

/** `deny` refuses the write, `warn` says it in a warning. */
export type Severity = 'deny' | 'warn'

export interface Finding {
  readonly rule: string
  readonly severity: Severity
  /** The object at fault, which need not be the one that is written. */
  readonly object: ObjectRef
  /** The field at fault in `object`; [] for the whole object. */
  readonly path: Path
  /** What stops being answered or is wrong, in one sentence without the rule's id. */
  readonly message: string
  /** What to do first, as an imperative sentence. */
  readonly remedy: string
  /** The gap that the finding is about, where it is about one. */
  readonly gap: Gap | null
  /** Where no gap tells it: other objects that the finding rests on. */
  readonly restsOn?: readonly ObjectRef[]
}

/** A finding before the decision has given it the rule's id. */
export type Statement = Omit<Finding, 'rule'>

/** What a rule itself has to say. What it leaves out, and the gap, come from how it is made: `gapRule`, `hygieneRule`. */
export interface Draft extends Pick<Statement, 'path' | 'message' | 'remedy' | 'restsOn'> {
  readonly severity?: Severity
  /** What is written, where it does not say. */
  readonly object?: ObjectRef
}

/** Label keys that tell what a Pod is (app) and which release of it (version). */
export interface LabelKeys {
  readonly version: readonly string[]
  readonly app: readonly string[]
}

/**
 * Why a gap is only warned of. `retired`: a route object is deleted with what it alone served. `moved`: another gateway goes on answering.
 * `plain-host`: no route object touches the host, and nobody says that it is in the mesh.
 */
export type Excuse = 'retired' | 'moved' | 'plain-host'

/** Tools whose order of writes is their own, and autoscalers. */
export type Tool = 'helm' | 'argocd' | 'flux' | 'argo-rollouts' | 'flagger' | 'keda' | 'hpa'

/** What a rule judges: one write of an object of its kinds, the snapshot without and with it, and the gaps that it opens. */
export interface Subject<K extends Kind = Kind> {
  readonly written: Written<K>
  readonly labelKeys: LabelKeys
  /** The name of an object as the writer may see it: `VirtualService prod/reviews`. */
  readonly nameOf: (ref: ObjectRef) => string
  /** Every (context, host) that the write can affect. */
  readonly targets: readonly Target[]
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  /** The release tool that writes, as far as it can be told; null for any other. */
  readonly tool: Tool | null
  readonly before: ObjectOf<K> | null
  readonly after: ObjectOf<K> | null
  readonly snapshotBefore: Snapshot
  readonly snapshotAfter: Snapshot
  /** The route tables of a target after the write. */
  readonly tablesAfter: (target: Pick<Target, 'context' | 'host'>) => readonly RouteTable[]
  /** Gaps that are larger after the write than before it. */
  readonly opened: readonly Gap[]
  readonly isOpened: (gap: Gap) => boolean
  /** A Service takes part in the mesh: by its namespace, its Pods, or what is routed there. */
  readonly isInMesh: (service: ObjectRef) => boolean
  /** Why a gap is no reason to refuse the write; null where it is one. */
  readonly excuseOf: (gap: Gap) => Excuse | null
  /** What becomes of a route object that brings no fallback for a host at a gateway that nobody served before. */
  readonly fallbackAtGateways: 'deny' | 'warn' | 'off'
  /** Gaps of the hosts that the write can affect, as they are after it: opened, older, and never served. */
  readonly gaps: readonly Gap[]
}

/** The object that is written. */
export interface Written<K extends Kind> extends ObjectRef {
  readonly kind: K
}

/** What `hitless explain` and the pages say of a rule. */
export interface RulePage<K extends Kind> {
  /** Named for what it finds; stable for ever. */
  readonly id: string
  /** The kinds whose writes it judges. */
  readonly on: readonly K[]
  readonly summary: string
  /** Why it matters and what Istio does, in a few sentences. */
  readonly description: string
  readonly remedy: string
}

export interface Rule<K extends Kind = Kind> extends RulePage<K> {
  /** Called with writes of the kinds in `on` alone. A method, so that one list can hold rules of different kinds. */
  check(subject: Subject<K>): readonly Statement[]
}
