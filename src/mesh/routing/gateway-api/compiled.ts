/**
 * Snapshots that hold, beside the Gateway API's objects, what Istio makes of them: Gateways and VirtualServices that everybody finds who looks for those,
 * and that are none of the cluster's own (`Snapshot.all`). They are kept piece by piece, so that a change costs what it changes.
 */
import type { Gateway } from '../../../kinds/gateway.ts'
import {
  decideAlike,
  type IndexedObject,
  type IndexName,
  indexedKind,
  type Kind,
  type MeshObject,
  type ObjectOf,
  type ObjectRef,
  ROUTE_KINDS,
  refKey
} from '../../../kinds/index.ts'
import type { VirtualService } from '../../../kinds/virtual-service.ts'
import type { Consequences } from '../../snapshot/pending.ts'
import { type Difference, type Follower, overlay, type Snapshot, World } from '../../snapshot/snapshot.ts'
import { podsAfter } from '../../snapshot/workloads.ts'
import { type Piece, pieceKey, piecesOf } from './pieces.ts'
import { isNameOfMade, type Made, made, madeByPiece } from './translate.ts'

/** A World in which what is made follows every object. It is made when somebody looks for it: of a list of routes for one host once, and not with each of them. */
export class MeshWorld extends World {
  readonly #made = new Map<string, readonly Made[]>()
  /** Pieces in which something has changed since. */
  readonly #due = new Map<string, Piece>()

  override set(object: MeshObject): void {
    this.#change([super.find(object.kind, object.namespace, object.name), object], () => super.set(object))
  }

  override delete(ref: ObjectRef): void {
    this.#change([super.find(ref.kind, ref.namespace, ref.name)], () => super.delete(ref))
  }

  override find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    if (isNameOfMade(name)) this.#settle()
    return super.find(kind, namespace, name)
  }

  override lookup<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>> {
    this.#settleFor(index)
    return super.lookup(index, key)
  }

  override countAtMost(index: IndexName, key: string): number {
    this.#settleFor(index)
    return super.countAtMost(index, key)
  }

  /** What is due is made first: it was so before. */
  override follow(follower: Follower): () => void {
    this.#settle()
    return super.follow(follower)
  }

  #change(states: readonly (MeshObject | undefined)[], change: () => void): void {
    const objects = states.filter((state) => state !== undefined && state.kind !== 'Pod')
    const pieces = piecesOfAll(this, objects)
    change()
    for (const piece of [...pieces, ...piecesOfAll(this, objects)]) this.#due.set(pieceKey(piece), piece)
    // Whoever follows is told of all that changes.
    if (this.isFollowed) this.#settle()
  }

  #settleFor(index: IndexName): void {
    const kind = indexedKind(index)
    if (kind === 'VirtualService' || kind === 'Gateway') this.#settle()
  }

  #settle(): void {
    if (this.#due.size === 0) return
    const due = [...this.#due.values()]
    this.#due.clear()
    for (const piece of due) for (const object of this.#made.get(pieceKey(piece)) ?? []) super.delete(object)
    for (const [key, objects] of madeByPiece(this, due)) {
      if (objects.length === 0) this.#made.delete(key)
      else this.#made.set(key, objects)
      for (const object of objects) super.set(object)
    }
  }
}

/** `base` as it is after `difference`, with all that Istio makes of it. */
export function changed(base: Snapshot, difference: Difference): Snapshot {
  const plain = overlay(base, difference)
  if (plain === base) return base
  const between = madeBetween(base, plain, statesIn(base, difference))
  const after = overlay(plain, { removed: between.gone, added: between.come })
  lastChanges.set(after, { base, between })
  return after
}

/** What `changed` found to make, by the snapshot that it gave: whoever compares the two asks again. */
const lastChanges = new WeakMap<Snapshot, { readonly base: Snapshot; readonly between: MadeBetween }>()

/** What comes of a write beside the object itself: a workload's Pods, and what Istio makes otherwise. */
export const consequencesOf: Consequences = (write, base) => {
  const { ref, before, after } = write
  const pods = podsAfter(write, base)
  const written = overlay(base, after === null ? { removed: [ref] } : { added: [after] })
  const { gone, come } = madeBetween(
    base,
    written,
    [before, after].flatMap((state) => state ?? [])
  )
  const kept = new Set(come.map(refKey))
  return { removed: [...pods.removed, ...gone.filter((object) => !kept.has(refKey(object)))], added: [...pods.added, ...come] }
}

/** What is no longer made, and what is made anew or otherwise. */
interface MadeBetween {
  readonly gone: readonly Made[]
  readonly come: readonly Made[]
}

/** The same of two snapshots, where objects change of which these are the states before and after. */
export function madeBetween(before: Snapshot, after: Snapshot, objects: readonly MeshObject[]): MadeBetween {
  const known = lastChanges.get(after)
  if (known?.base === before) return known.between
  const pieces = [...piecesOfAll(before, objects), ...piecesOfAll(after, objects)]
  if (pieces.length === 0) return { gone: [], come: [] }
  const was = new Map(made(before, pieces).map((object) => [refKey(object), object]))
  const is = new Map(made(after, pieces).map((object) => [refKey(object), object]))
  const differs = (object: Made, other: Made | undefined) =>
    other === undefined || other.createdMs !== object.createdMs || other.deleting !== object.deleting || !decideAlike(object, other)
  return {
    gone: [...was].flatMap(([key, object]) => (differs(object, is.get(key)) ? [object] : [])),
    come: [...is].flatMap(([key, object]) => (differs(object, was.get(key)) ? [object] : []))
  }
}

/** Every VirtualService, those of the cluster and those that are made. */
export function* everyVirtualService(snapshot: Snapshot): Iterable<VirtualService> {
  yield* snapshot.all('VirtualService')
  const known = new Set<string>()
  for (const kind of ROUTE_KINDS.filter((each) => each !== 'VirtualService')) {
    for (const route of snapshot.all(kind)) {
      const pieces = piecesOf(snapshot, route).filter((piece) => !known.has(pieceKey(piece)))
      for (const piece of pieces) known.add(pieceKey(piece))
      for (const object of made(snapshot, pieces)) if (object.kind === 'VirtualService') yield object
    }
  }
}

/** The servers that are made of a Gateway of the Gateway API, `namespace/name`, and of its ListenerSets. */
export function serversMadeOf(snapshot: Snapshot, gateway: string): Gateway[] {
  return made(snapshot, [{ of: 'servers', gateway }]).filter((object) => object.kind === 'Gateway')
}

function statesIn(base: Snapshot, { removed = [], added = [] }: Difference): MeshObject[] {
  return [...[...removed, ...added].flatMap(({ kind, namespace, name }) => base.find(kind, namespace, name) ?? []), ...added]
}

function piecesOfAll(snapshot: Snapshot, objects: readonly MeshObject[]): Piece[] {
  const pieces = objects.flatMap((object) => piecesOf(snapshot, object))
  return [...new Map(pieces.map((piece) => [pieceKey(piece), piece])).values()]
}
