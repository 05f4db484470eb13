/** May a user do something? Asked of the API server's authorizers (authorization.k8s.io/v1 SubjectAccessReview). */
import { isRecord } from '../kinds/fields.ts'
import type { Connection } from './connection.ts'

const PATH = '/apis/authorization.k8s.io/v1/subjectaccessreviews'

/** A user as the API server authenticated it. */
export interface Subject {
  readonly username: string
  readonly groups: readonly string[]
  readonly uid?: string
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** Whether the subject may `exempt` objects of a namespace from a rule: a verb on rules.hitless.io, by the name of the rule. Rejects where nobody answers. */
export async function mayExempt(
  connection: Connection,
  { username, groups, uid, extra }: Subject,
  namespace: string,
  rule: string,
  signal: AbortSignal
): Promise<boolean> {
  const resourceAttributes = { group: 'hitless.io', resource: 'rules', verb: 'exempt', name: rule, namespace }
  const spec = { user: username, groups, uid, extra, resourceAttributes }
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
  const answer = await connection.send('POST', PATH, review, signal)
  const status = isRecord(answer) ? answer['status'] : undefined
  return isRecord(status) && status['allowed'] === true
}
