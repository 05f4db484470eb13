/** Of files that hold nothing for hitless, so that nobody takes silence for a verdict. */
import { basename, dirname } from 'node:path'
import { isLookedAtAlone, isOfOtherVersion } from '../kinds/index.ts'
import type { Manifest, Manifests } from '../manifests/manifests.ts'
import type { Io } from './io.ts'
import { line } from './text.ts'

const MOST_NAMED = 3
const KUSTOMIZATION = /^kustomization\.ya?ml$/

/** Names on standard error the files in which there is no kind that hitless reads, and their kinds; and what kustomize has yet to put together. */
export function printUnread({ manifests, others }: Pick<Manifests, 'manifests' | 'others'>, { err }: Io, isRead = isJudged): void {
  const byFile = Map.groupBy(manifests, ({ file }) => file)
  const isBuilt = (file: string) => KUSTOMIZATION.test(basename(file))
  for (const file of [...byFile.keys(), ...others].filter(isBuilt)) {
    err(line([`${file}: what stands beside it is taken as it is; give what \`kustomize build ${dirname(file)}\` prints`], false))
  }
  const files = [
    ...[...byFile].filter(([, found]) => !found.some(isRead)).map(([file, found]) => ({ file, what: kindsOf(found) })),
    ...others.map((file) => ({ file, what: 'no manifest' }))
  ].filter(({ file }) => !isBuilt(file))
  if (files.length === 0) return
  const more = files.length - MOST_NAMED
  const named = files
    .slice(0, MOST_NAMED)
    .map(({ file, what }) => `${file} (${what})`)
    .join(', ')
  err(line(['not judged, since hitless judges no kind in it: ', named, more > 0 ? ` and ${more} more files` : ''], false))
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
