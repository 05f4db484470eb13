import type { Owner } from '../kinds/identity.ts'
import { decideAlike, homeOf } from '../kinds/index.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from './change.ts'
import { mayEnd } from './consequence.ts'
import type { Policy } from './policy.ts'

/** Controllers of Kubernetes itself: they carry out what was admitted before, and a denial would only leave it half done. */
const CONTROLLERS = new Set([
  'system:serviceaccount:kube-system:namespace-controller',
  'system:serviceaccount:kube-system:generic-garbage-collector',
  'system:kube-controller-manager',
  'system:apiserver'
])

/** Why a change is admitted without judgement, for the audit; null where it is judged. */
export function alwaysAdmitted({ author, ref, before, after, operation }: Change, snapshot: Snapshot, policy: Policy): string | null {
  if (CONTROLLERS.has(author.username)) return 'controller'
  // As it was stored: whoever writes can name any owner.
  const stored = before ?? after
  // The Deployment was judged before it was told to make or end Pods. Controllers of others move requests and Pods by themselves, and try again.
  if (stored?.kind === 'ReplicaSet' && stored.owners.some(isDeployment)) return 'replica-set-of-deployment'
  if (policy.exemptNamespaces.includes(homeOf(ref))) return 'exempt-namespace'
  if (snapshot.find('Namespace', '', homeOf(ref))?.deleting === true) return 'namespace-terminating'
  // An update of a terminating object is judged by what it changes, or a finalizer would be a way round every rule.
  return operation === 'DELETE' && before?.deleting === true ? 'object-terminating' : null
}

/** Deleted by Kubernetes itself, with its owner or its namespace. */
export function isCollected({ operation, author }: Change): boolean {
  return operation === 'DELETE' && CONTROLLERS.has(author.username)
}

function isDeployment({ apiVersion, kind }: Owner): boolean {
  return kind === 'Deployment' && apiVersion.startsWith('apps/')
}

/** Asked several times of each change. */
const noOps = new WeakMap<Change, boolean>()

/** Nothing that decides about requests changes: a label, a status, a scale between counts above 0. */
export function isNoOp(change: Change): boolean {
  const known = noOps.get(change)
  if (known !== undefined) return known
  const { before, after } = change
  const found = before !== null && after !== null && decideAlike(before, after) && !mayEnd(change)
  noOps.set(change, found)
  return found
}
