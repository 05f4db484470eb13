import type { HttpMatch, HttpRoute } from '../kinds/http-rule.ts'
import type { VirtualService } from '../kinds/virtual-service.ts'
import { formatPath } from '../mesh/names/path.ts'
import { coversEverything } from '../mesh/routing/covers.ts'
import { hygieneRule } from './hygiene-rule.ts'

export const answersNothing = hygieneRule({
  id: 'answers-nothing',
  on: ['VirtualService'],
  summary: 'every request gets a fault or a fixed error',
  description:
    'A `fault.abort` of 100%, or a `directResponse` of 400 or more, is an answer that somebody chose, and is never refused. But one that takes every request of its hosts leaves nothing to whoever calls them: often the ' +
    'match that should bind it to a tester is missing, or a maintenance page was left.',
  remedy: 'Give the rule a match of its own, or take it back when the maintenance is over.',
  find: ({ before, after, nameOf }) => {
    const rule = errorForAll(after)
    if (rule === null || after === null || errorForAll(before) !== null) return []
    return [
      {
        path: rule.path,
        message: `every request that ${nameOf(after)} takes gets an error: ${formatPath(rule.path.slice(1))} ${how(rule)}`,
        remedy: 'If that is meant for some requests, give it a match of their own'
      }
    ]
  }
})

/** The last rule that any request comes to, where all of them up to it give errors; null where some request can get an answer. */
function errorForAll(object: VirtualService | null): HttpRoute | null {
  if (object === null) return null
  for (const rule of object.http) {
    if (!isError(rule)) return null
    if (rule.match.length === 0 || rule.match.some(takesAll)) return rule
  }
  return object.http.at(-1) ?? null
}

/** Whatever the request, its port, Gateway and client. */
function takesAll(match: HttpMatch): boolean {
  const { port, gateways, sourceLabels, sourceNamespace } = match
  const isForAll = port === null && gateways.length === 0 && Object.keys(sourceLabels).length === 0 && sourceNamespace === ''
  return isForAll && coversEverything(match)
}

function isError({ abort, directResponse }: HttpRoute): boolean {
  return (abort ?? 0) >= 100 || (directResponse?.status ?? 0) >= 400
}

function how({ abort, directResponse }: HttpRoute): string {
  return (abort ?? 0) >= 100 ? 'aborts 100% of requests (fault)' : `answers ${directResponse?.status} itself (directResponse)`
}
