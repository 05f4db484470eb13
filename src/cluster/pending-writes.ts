/** This replica's own admitted writes, from the moment of their admission until the stream shows them. */
import { type MeshObject, type ObjectRef, refKey } from '../kinds/index.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Write } from '../mesh/snapshot/state.ts'
import { podsLeaving } from '../mesh/snapshot/workloads.ts'
import { isLater } from './resource-version.ts'

/** An admitted write of which the stream has shown nothing yet. */
export interface Pending {
  readonly ref: ObjectRef
  readonly after: MeshObject | null
  /** Pods that go with a Deployment. */
  readonly leaving: readonly ObjectRef[]
  /** The state that the write replaces; it says nothing of whether the write happened. */
  readonly replaced: { readonly uid: string; readonly resourceVersion: string } | null
}

export class AdmittedWrites {
  readonly #base: Snapshot
  readonly #pending = new Map<string, Pending>()
  #snapshot: Snapshot | null = null

  constructor(base: Snapshot) {
    this.#base = base
  }

  /** The base with every pending write in it. */
  snapshot(): Snapshot {
    if (this.#pending.size === 0) return this.#base
    this.#snapshot ??= overlay(this.#base, {
      removed: [...this.#pending.values()].flatMap(({ ref, leaving }) => [ref, ...leaving]),
      added: [...this.#pending.values()].flatMap(({ after }) => (after === null ? [] : [after]))
    })
    return this.#snapshot
  }

  add({ ref, before, after }: Write): Pending {
    // The server creates what does not exist there: what stands under that name here is gone, and the stream has not told yet.
    const replaced = before ?? this.#base.find(ref.kind, ref.namespace, ref.name) ?? null
    return this.#put({ ref, after, replaced, leaving: podsLeaving({ ref, after }, this.#base) })
  }

  isPending(pending: Pending): boolean {
    return this.#pending.get(refKey(pending.ref)) === pending
  }

  /** The write on this object, if one is pending, counts no longer. */
  forget(ref: ObjectRef): void {
    if (this.#pending.delete(refKey(ref))) this.#snapshot = null
  }

  /** The object as the server holds it now, which the stream has yet to show, in place of the write as it was admitted. */
  confirm({ ref, replaced }: Pending, found: MeshObject | null): Pending {
    return this.#put({ ref, after: found, replaced, leaving: podsLeaving({ ref, after: found }, this.#base) })
  }

  /** The stream has shown a change of an object: what happened to it from here on is told by the stream. */
  shown(before: MeshObject | null, after: MeshObject | null): void {
    const object = after ?? before
    if (object === null || this.#pending.size === 0) return
    const pending = this.#pending.get(refKey(object))
    if (pending === undefined) return
    if (after === null ? endsWithout(pending) : happened(pending, after) && !isBefore(after, pending.after)) this.forget(object)
  }

  #put(pending: Pending): Pending {
    this.#pending.set(refKey(pending.ref), pending)
    this.#snapshot = null
    return pending
  }
}

/** An object has left the stream: the pending deletion, or one after a pending update. A pending creation goes on: its forerunner has gone. */
function endsWithout({ after, replaced }: Pending): boolean {
  return after === null || after.uid === replaced?.uid
}

/** The stream has not come to the state that a read by name has found. */
function isBefore(shown: MeshObject, found: MeshObject | null): boolean {
  return found !== null && isLater(found.resourceVersion, shown.resourceVersion) === true
}

/** Whether `found` shows that the write was made, or another one since: it is not what the write replaces, nor older. */
export function happened({ replaced }: Pending, found: MeshObject): boolean {
  if (replaced === null || found.uid !== replaced.uid) return true
  return isLater(found.resourceVersion, replaced.resourceVersion) ?? found.resourceVersion !== replaced.resourceVersion
}
