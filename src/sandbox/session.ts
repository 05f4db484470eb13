/** Writes played one after another onto the embedded cluster: what `check` and `replay` share. */
import { createReviewer } from '../admission/judge.ts'
import { type Kind, type MeshObject, type ObjectRef, storedOver } from '../kinds/index.ts'
import type { GivenSettings } from '../mesh/snapshot/settings.ts'
import type { State } from '../mesh/snapshot/state.ts'
import type { Author, Change } from '../review/change.ts'
import type { Decision } from '../review/decision.ts'
import type { Policy } from '../review/policy.ts'
import { Sandbox } from './sandbox.ts'

/** No deadline applies where nobody waits for an answer. */
const NEVER = new AbortController().signal

export const KUBECTL: Author = { username: 'hitless', groups: [], manager: 'kubectl' }

export type View = (sandbox: Sandbox) => State

export class Session {
  readonly sandbox: Sandbox
  readonly #review: (change: Change) => Promise<Decision>

  /** `view` is how reviewers see the cluster: as it is, or with a cache that lags. */
  constructor(policy: Policy, nowMs: () => number, view: View = (sandbox) => sandbox, settings?: GivenSettings) {
    this.sandbox = new Sandbox(settings)
    const state = view(this.sandbox)
    // Each write by a replica of its own: none knows what another admitted.
    this.#review = (change) => createReviewer({ state, policy: () => policy, nowMs })(change, NEVER)
  }

  /** The cluster's DNS domain, for which names are completed. */
  get domain(): string {
    return this.sandbox.snapshot().settings.domain
  }

  /** Judges an apply, and carries it out where it is admitted and no dry run. */
  async apply(object: MeshObject, author: Author = KUBECTL, dryRun = false): Promise<{ change: Change; decision: Decision }> {
    const before = this.#find(object)
    const after = before === null ? object : { ...storedOver(object, before), createdMs: before.createdMs }
    const change: Change = { operation: before === null ? 'CREATE' : 'UPDATE', ref: object, before, after, dryRun, author }
    return { change, decision: await this.#review(change) }
  }

  /** null where there is nothing of that name to delete. */
  async delete(ref: ObjectRef, author: Author = KUBECTL, dryRun = false): Promise<{ change: Change; decision: Decision } | null> {
    const before = this.#find(ref)
    if (before === null) return null
    const change: Change = { operation: 'DELETE', ref, before, after: null, dryRun, author }
    return { change, decision: await this.#review(change) }
  }

  /** null where there is no such workload, of any kind where none is named. */
  async scale(
    namespace: string,
    name: string,
    replicas: number,
    author: Author = KUBECTL,
    dryRun = false,
    kind?: Kind
  ): Promise<{ change: Change; decision: Decision } | null> {
    const [before] = this.sandbox.workloads(namespace, name, kind)
    if (before === undefined) return null
    const after = { ...before, replicas }
    const change: Change = { operation: 'UPDATE', ref: after, before, after, dryRun, author }
    return { change, decision: await this.#review(change) }
  }

  /** False where there is no such workload or Pod. */
  ready(namespace: string, name: string, kind?: Kind): boolean {
    return this.sandbox.ready(namespace, name, kind)
  }

  load(object: MeshObject): void {
    this.sandbox.load(object)
  }

  unload(ref: ObjectRef): void {
    this.sandbox.unload(ref)
  }

  #find(ref: ObjectRef): MeshObject | null {
    return this.sandbox.stored(ref)
  }
}
