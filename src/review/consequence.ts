/** What becomes of a write once Kubernetes has carried it out: an update can be the deletion of its object. */

import type { Owner } from '../kinds/identity.ts'
import { kindModule, kindOf, type MeshObject, type ObjectRef } from '../kinds/index.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from './change.ts'
import { newlyCarried } from './reliance.ts'

/** The change as it ends: a DELETE where the last finalizer of a terminating object is taken off, or where no owner of the object is there. */
export function carriedOut(change: Change, snapshot: Snapshot): Change {
  return endsByFinalizer(change) || endsByOwners(change, snapshot) ? { ...change, operation: 'DELETE', after: null } : change
}

/** Why an update is a deletion, in words. */
export function whyCarriedOut({ before, after }: Change): string {
  return endsByFinalizer({ before, after })
    ? 'this deletes it: the last finalizer of an object that is being deleted is taken off'
    : 'this deletes it: none of its owners is there, so garbage collection takes it away'
}

/** It may be such an update, whether or not anything else in it decides. */
export function mayEnd({ before, after }: Change): boolean {
  return endsByFinalizer({ before, after }) || newOwners(before, after).length > 0
}

/** The new owners that the model can look for; all others are taken to be there. */
export function ownersAskedFor({ before, after }: Change): ObjectRef[] {
  return newOwners(before, after).flatMap((owner) => refOf(owner, after?.namespace ?? '') ?? [])
}

function endsByFinalizer({ before, after }: Pick<Change, 'before' | 'after'>): boolean {
  return before?.deleting === true && after !== null && before.finalizers.length > 0 && after.finalizers.length === 0
}

/** `attemptToDeleteItem` of the garbage collector: one owner that is there keeps the object. */
function endsByOwners({ before, after }: Change, snapshot: Snapshot): boolean {
  if (after === null || newOwners(before, after).length === 0) return false
  return after.owners.every((owner) => isAbsent(owner, after.namespace, snapshot))
}

/** Those of an object that was there before; one that is created with owners served nobody yet. */
function newOwners(before: MeshObject | null, after: MeshObject | null): Owner[] {
  if (before === null || after === null || after.owners.length === 0) return []
  const known = new Set(before.owners.map(({ uid }) => uid))
  return after.owners.filter(({ uid }) => !known.has(uid))
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
