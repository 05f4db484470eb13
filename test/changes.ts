/** Writes onto a world of manifests, as the reviewer sees them. */

import { type MeshObject, parseObject } from '../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../src/mesh/names/hosts.ts'
import { MeshWorld } from '../src/mesh/routing/gateway-api/compiled.ts'
import type { World } from '../src/mesh/snapshot/snapshot.ts'
import { podsOf } from '../src/mesh/snapshot/workloads.ts'
import type { Author, Change } from '../src/review/change.ts'
import type { Manifest } from './manifests.ts'

const ALICE: Author = { username: 'alice', groups: [], manager: 'kubectl-client-side-apply' }

/** A world that holds the manifests, created in this order, with the Pods that its Deployments stand for. */
export function worldOf(manifests: readonly Manifest[]): World {
  const world = new MeshWorld()
  manifests.forEach((manifest, at) => {
    const object = { ...parsed(manifest), createdMs: (at + 1) * 1000 }
    world.set(object)
    if (object.kind === 'Deployment') for (const pod of podsOf(object)) world.set(pod)
  })
  return world
}

export function parsed(manifest: Manifest): MeshObject {
  const object = parseObject(manifest, DEFAULT_DOMAIN)
  if (object === null) throw new Error(`${manifest.kind} is no kind of the model`)
  return object
}

export function apply(world: World, manifest: Manifest, rest: Partial<Change> = {}): Change {
  const object = parsed(manifest)
  const stored = world.find(object.kind, object.namespace, object.name) ?? null
  const after: MeshObject = { ...object, createdMs: stored?.createdMs ?? 1_000_000 }
  return { operation: stored === null ? 'CREATE' : 'UPDATE', ref: object, before: stored, after, dryRun: false, author: ALICE, ...rest }
}

export function remove(world: World, manifest: Manifest, rest: Partial<Change> = {}): Change {
  const object = parsed(manifest)
  const stored = world.find(object.kind, object.namespace, object.name)
  if (stored === undefined) throw new Error(`there is no ${object.kind} ${object.name} to delete`)
  return { operation: 'DELETE', ref: object, before: stored, after: null, dryRun: false, author: ALICE, ...rest }
}
