/** What the cluster's owners decided: how each rule acts, and where. */

import type { Labels } from '../mesh/names/labels.ts'
import { own } from '../mesh/names/own.ts'
import type { LabelKeys } from '../rules/rule.ts'

/** What becomes of a rule's findings: `deny` leaves them as the rule found them, `warn` lowers denials to warnings, `off` drops them. */
export type Mode = 'deny' | 'warn' | 'off'

export interface Policy {
  /** `observe`: nothing is refused or held anywhere; what would be refused is told instead. */
  readonly mode: 'enforce' | 'observe'
  /** By rule id; a rule that is not named acts as it was written. */
  readonly rules: Readonly<Record<string, Mode>>
  readonly labelKeys: LabelKeys
  /** Namespaces whose writes are not judged. */
  readonly exemptNamespaces: readonly string[]
  /** `warn`: on a dry run, only findings about the object itself deny; the others warn. `enforce`: as on a real write. */
  readonly dryRun: 'warn' | 'enforce'
  /** What becomes of a write while the state of the cluster is not fresh. */
  readonly whenStale: 'warn' | 'deny' | 'error'
  /** Names of objects in namespaces other than the written object's may be shown. */
  readonly showForeignNames: boolean
  /** What becomes of a route object that brings no fallback for a host at a gateway that nobody served before: others may bring theirs. */
  readonly fallbackAtGateways: Mode
  /** What becomes of a write that closes a host which no route object touches. `auto`: a Service's own is refused in the mesh, all else warned of. */
  readonly plainHosts: 'auto' | Mode
  /** An exemption counts only where the writer may `exempt` the rule, as the API server's authorizers say. */
  readonly exemptionsNeedAccess: boolean
}

export const DEFAULT_POLICY: Policy = {
  mode: 'enforce',
  rules: {},
  labelKeys: {
    version: ['version', 'app.kubernetes.io/version', 'service.istio.io/canonical-revision'],
    app: ['app', 'app.kubernetes.io/name', 'service.istio.io/canonical-name']
  },
  exemptNamespaces: ['kube-system', 'kube-public', 'kube-node-lease'],
  dryRun: 'warn',
  whenStale: 'warn',
  showForeignNames: false,
  fallbackAtGateways: 'warn',
  plainHosts: 'auto',
  exemptionsNeedAccess: true
}

/** The label by which a namespace chooses how hitless acts in it. */
const MODE_LABEL = 'hitless.io/mode'

/** How a rule acts in a namespace: the stricter word is the cluster's, and a namespace can only lower it. */
export function modeOf(policy: Policy, rule: string, namespaceLabels: Labels): Mode {
  const cluster = own(policy.rules, rule) ?? 'deny'
  const namespace = namespaceLabels[MODE_LABEL]
  if (cluster === 'off' || namespace === 'off') return 'off'
  return cluster === 'warn' || namespace === 'warn' ? 'warn' : 'deny'
}
