import type { MeshObject, ObjectRef } from '../kinds/index.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

/** Who writes, as the API server authenticated it, and with which tool. */
export interface Author {
  readonly username: string
  readonly groups: readonly string[]
  readonly uid?: string
  /** What else the authenticator knows; some authorizers decide by it. */
  readonly extra?: Readonly<Record<string, readonly string[]>>
  /** The field manager of the newest entry in managedFields, such as `helm` or `argocd-controller`; '' where unknown. */
  readonly manager: string
}

/** One write, asked of the API server. */
export interface Change {
  readonly operation: Operation
  readonly ref: ObjectRef
  /** The stored object; null on CREATE. */
  readonly before: MeshObject | null
  /** The object as it would be stored; null on DELETE. Of a write to `deployments/scale`, the Deployment with its new replicas. */
  readonly after: MeshObject | null
  readonly dryRun: boolean
  readonly author: Author
}
