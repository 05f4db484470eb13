/** The object that a route or chain comes from, for machines. */
import type { RouteObject } from '../kinds/http-rule.ts'
import { formatRef } from '../kinds/index.ts'

export interface SourceJson {
  /** `namespace/name`; null for what Istio makes by itself, and for routes of the Gateway API. */
  readonly virtualService: string | null
  /** `HTTPRoute namespace/name`, where a route of the Gateway API has it. */
  readonly route?: string
}

export function sourceJson(source: RouteObject | null): SourceJson {
  if (source === null) return { virtualService: null }
  if (source.kind === 'VirtualService') return { virtualService: `${source.namespace}/${source.name}` }
  return { virtualService: null, route: formatRef(source) }
}
