/** Of files that hold nothing for hitless, so that nobody takes silence for a verdict. */

import { isLookedAtAlone, isOfOtherVersion } from '../kinds/index.ts'
import type { Manifest } from '../manifests/manifests.ts'
import type { Io } from './io.ts'
import { line } from './text.ts'

const MOST_NAMED = 3

/** Names on standard error the files in which there is no kind that hitless reads, and their kinds. */
export function printUnread(manifests: readonly Manifest[], { err }: Io, isRead = isJudged): void {
  const files = [...Map.groupBy(manifests, ({ file }) => file)].filter(([, found]) => !found.some(isRead))
  if (files.length === 0) return
  const named = files.slice(0, MOST_NAMED).map(([file, found]) => `${file} (${kindsOf(found)})`)
  const more = files.length - named.length
  err(line(['not judged, since hitless judges no kind in it: ', named.join(', '), more > 0 ? ` and ${more} more files` : ''], false))
}

/** Verdicts rest on it. */
export function isJudged({ object }: Manifest): boolean {
  return object !== null && !isLookedAtAlone(object.kind)
}

function kindsOf(manifests: readonly Manifest[]): string {
  const nameOf = ({ raw }: Manifest) => {
    const [apiVersion, kind] = [String(raw['apiVersion']), String(raw['kind'])]
    return isOfOtherVersion(apiVersion, kind) ? `${kind} of ${apiVersion}` : kind
  }
  return [...new Set(manifests.map(nameOf))].sort().join(', ')
}
