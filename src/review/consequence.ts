/** What becomes of a write once Kubernetes has carried it out, and to the mesh: an update can be the deletion of its object. */

import { type Owner, REVISION } from '../kinds/identity.ts'
import { isSame, kindModule, kindOf, type MeshObject, type ObjectRef } from '../kinds/index.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import { isOfMesh } from '../mesh/snapshot/settings.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from './change.ts'
import { newlyCarried } from './reliance.ts'

/**
 * The change as it ends: a DELETE where the last finalizer of a terminating object is taken off, where no owner of the object is there, or where
 * its label hands it to another revision of Istio (1.8); a CREATE where that takes it back.
 */
export function carriedOut(change: Change, snapshot: Snapshot): Change {
  if (endsByFinalizer(change) || endsByOwners(change, snapshot)) return { ...change, operation: 'DELETE', after: null }
  const [before, after] = [change.before, change.after].map((object) => (object !== null && isOfMesh(object, snapshot) ? object : null))
  if (before === change.before && after === change.after) return change
  return { ...change, before: before ?? null, after: after ?? null, operation: before ? (after ? 'UPDATE' : 'DELETE') : 'CREATE' }
}

/** Not there for the mesh, before and after. */
export function isOfNoMesh({ before, after }: Change, snapshot: Snapshot): boolean {
  return [before, after].every((object) => object === null || !isOfMesh(object, snapshot))
}

/** Why an update is judged as something else, in words; null where that needs none: what comes to the mesh was written. */
export function whyCarriedOut({ before, after }: Change, snapshot: Snapshot): string | null {
  if (endsByFinalizer({ before, after })) return 'this deletes it: the last finalizer of an object that is being deleted is taken off'
  if (after !== null && !isOfMesh(after, snapshot)) {
    return `this takes it from the mesh: it is labelled ${REVISION}=${after.labels[REVISION]}, and the revision here is ${snapshot.settings.revision}`
  }
  if (before !== null && !isOfMesh(before, snapshot)) return null
  return 'this deletes it: none of its owners is there, so garbage collection takes it away'
}

/** It may be such an update, whether or not anything else in it decides. */
export function mayEnd({ before, after }: Change): boolean {
  return endsByFinalizer({ before, after }) || otherOwners(before, after).length > 0
}

/** Of other owners than before those that the model can look for; all others are taken to be there. */
export function ownersAskedFor({ before, after }: Change): ObjectRef[] {
  return otherOwners(before, after).flatMap((owner) => refOf(owner, after?.namespace ?? '') ?? [])
}

function endsByFinalizer({ before, after }: Pick<Change, 'before' | 'after'>): boolean {
  return before?.deleting === true && after !== null && before.finalizers.length > 0 && after.finalizers.length === 0
}

/** `attemptToDeleteItem` of the garbage collector: one owner that is there keeps the object. */
function endsByOwners({ before, after }: Change, snapshot: Snapshot): boolean {
  const owners = otherOwners(before, after)
  return after !== null && owners.length > 0 && owners.every((owner) => isAbsent(owner, after.namespace, snapshot))
}

/**
 * All owners of an object that was there before, where they are others than they were: that one is gone tells as much as that one is new, and the collector looks
 * for each under the name that the reference has now. One that is created with owners served nobody yet.
 */
function otherOwners(before: MeshObject | null, after: MeshObject | null): readonly Owner[] {
  return before === null || after === null || isSame(before.owners, after.owners) ? [] : after.owners
}

function isAbsent(owner: Owner, namespace: string, snapshot: Snapshot): boolean {
  const ref = refOf(owner, namespace)
  if (ref === null || !snapshot.knows(ref.kind)) return false
  const found = snapshot.find(ref.kind, ref.namespace, ref.name)
  return found === undefined || (found.uid !== '' && found.uid !== owner.uid)
}

/** null where the model does not know the kind: whether such an owner is there cannot be told. */
function refOf({ apiVersion, kind, name }: Owner, namespace: string): ObjectRef | null {
  const known = kindOf(apiVersion, kind)
  if (known === null) return null
  return { kind: known, namespace: kindModule(known).api.namespaced ? namespace : '', name }
}

/** The snapshot as far as a write may newly rely on it: what is terminating goes as soon as its last finalizer does. */
export function reliable(change: Change, snapshot: Snapshot): Snapshot {
  const hosts = new Set(newlyCarried(change).map(({ host }) => host))
  const leaving = [...hosts].flatMap((host) => [...destinationRulesOver(snapshot, host), ...snapshot.lookup('serviceEntryByHost', host)])
  return overlay(snapshot, { removed: leaving.filter(({ deleting }) => deleting) })
}
