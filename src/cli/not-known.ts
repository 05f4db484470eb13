/** What files do not show, said once a host, and what becomes of it. */
import { Option } from 'commander'
import type { MeshObject } from '../kinds/index.ts'
import type { Manifests } from '../manifests/manifests.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import type { GivenSettings } from '../mesh/snapshot/settings.ts'
import type { Io } from '../output/io.ts'
import { plainLines } from '../output/text.ts'
import { clientNamespaces, type StandIns, standInsFor, type Unknown } from '../sandbox/unknowns.ts'

export type UnknownMode = 'deny' | 'warn' | 'ignore'

const MOST_TOLD = 10
const WANTING = {
  Service: 'no file holds its Service, so its ports, Pods and subsets were not judged',
  workload: 'no file holds a workload behind its Service, so whether its Pods are Ready was not judged',
  Gateway: 'no file holds it, so whether it takes these routes was not judged',
  Secret: 'no file holds the Secret of a listener, so whether it has a certificate was not judged'
}

export function unknownOption(): Option {
  return new Option('--unknown <what>', 'what becomes of a host that files show only in part')
    .choices(['deny', 'warn', 'ignore'])
    .default('warn')
}

/** What all these files together say of the mesh that they are of, and what they do not say. */
export function filesShow(...read: readonly Manifests[]): StandIns & { readonly settings: GivenSettings } {
  const objects: MeshObject[] = read.flatMap(({ manifests }) => manifests.flatMap(({ object }) => object ?? []))
  const clients = clientNamespaces(objects)
  const settings = clients === undefined ? {} : { clientNamespaces: clients }
  return { ...standInsFor(objects, DEFAULT_DOMAIN), settings }
}

export function describeUnknown({ host, missing }: Unknown): string {
  return `${host}: ${WANTING[missing]}`
}

/** A line a host, and how to give what is missing. */
export function printUnknowns(unknowns: readonly Unknown[], mode: UnknownMode, say: Io['out']): void {
  if (mode === 'ignore' || unknowns.length === 0) return
  const told = unknowns.slice(0, MOST_TOLD).map((each) => `not known: ${describeUnknown(each)}`)
  const more = unknowns.length - told.length
  const lines = more > 0 ? [...told, `not known: ${more} more hosts`] : told
  for (const line of [...lines, 'Name their files too, or let --cluster show what there is.']) say(plainLines([line]))
}

/** Whether it makes the exit code 1. */
export function isDenied(unknowns: readonly Unknown[], mode: UnknownMode, failOn: 'deny' | 'warn'): boolean {
  return unknowns.length > 0 && (mode === 'deny' || (mode === 'warn' && failOn === 'warn'))
}
