import { isSameRef } from '../kinds/index.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft } from './rule.ts'
import { destinationName } from './wording.ts'

export const deadMirror = hygieneRule({
  id: 'dead-mirror',
  on: ['VirtualService'],
  summary: 'the host or subset of a mirror is undefined or has no Ready Pod',
  description:
    'Answers to mirrored requests are dropped, so a dead mirror hurts no caller and is never refused. But the version that was to be tried gets no request.',
  remedy: 'Define the subset and wait until its Pods are Ready.',
  find: ({ after, targets, tablesAfter, nameOf }) => {
    if (after === null || after.http.every(({ mirrors }) => mirrors.length === 0)) return []
    const found = new Map<string, Draft>()
    for (const target of targets) {
      for (const route of tablesAfter(target).flatMap(({ routes }) => routes)) {
        if (!isSameRef(route.source, after)) continue
        for (const mirror of route.mirrors.filter(isDead)) {
          found.set(JSON.stringify(mirror.path), {
            path: mirror.path,
            message: `the mirror of ${nameOf(after)} gets no request: ${destinationName(mirror)} ${mirror.missing === null ? 'has no Ready Pod' : 'does not exist'}`,
            remedy: mirror.missing === null ? 'Wait until its Pods are Ready' : 'Define it and wait until its Pods are Ready'
          })
        }
      }
    }
    return [...found.values()]
  }
})

function isDead({ missing, ready }: RoutedDestination): boolean {
  return missing !== null || ready === 0
}
