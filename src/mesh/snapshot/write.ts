import type { MeshObject, ObjectRef } from '../../kinds/index.ts'

/** A write as the state sees it: what an object was and what it becomes; null where there is none. */
export interface Write {
  readonly ref: ObjectRef
  readonly before: MeshObject | null
  readonly after: MeshObject | null
}
