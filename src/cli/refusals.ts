/** `hitless audit --cluster --refusals`: what was refused lately, or would have been, and to whom. */
import { HitlessError } from '../errors.ts'
import { type RefusalEvent, refusalEvents } from '../kubernetes/events.ts'
import { withConnection } from '../kubernetes/with-connection.ts'
import { EXIT, type Io, printData, printText } from '../output/io.ts'
import { counted, plainLines } from '../output/text.ts'
import { type ClusterFlags, sourceOf } from './cluster-source.ts'

interface RefusalFlags extends ClusterFlags {
  readonly namespace?: string
  readonly output: string
}

/** Events of one refusal, which a writer who tries again makes several of. */
interface Refusal extends RefusalEvent {
  readonly events: number
}

/** Gives the exit code: 1 where there is one. */
export async function listRefusals(paths: readonly string[], flags: RefusalFlags, io: Io): Promise<number> {
  const { cluster, namespace = '', output } = flags
  if (!cluster || paths.length > 0) throw new HitlessError('HITLESS_USAGE', '--refusals are those of a cluster: --cluster, and no files')
  if (output !== 'text' && output !== 'json' && output !== 'yaml')
    throw new HitlessError('HITLESS_USAGE', `--refusals are shown as text, json or yaml, not as ${output}`)
  const events = await withConnection(sourceOf(flags, io.env), (connection) => refusalEvents(connection, namespace, io.signal))
  const refusals = grouped(events)
  if (output === 'text') printText(plainLines([counted(refusals.length, 'refusal'), ...refusals.map(textOf)]), io)
  else printData({ refusals }, output, io)
  return refusals.length > 0 ? EXIT.denied : EXIT.ok
}

/** The newest first, each with its last words. */
function grouped(events: readonly RefusalEvent[]): Refusal[] {
  const newest = [...events].sort((one, other) => (one.time < other.time ? 1 : -1))
  const groups = Map.groupBy(newest, ({ object, user, rules, refused }) => JSON.stringify([object, user, rules, refused]))
  return [...groups.values()].flatMap(([last, ...earlier]) => (last === undefined ? [] : [{ ...last, events: 1 + earlier.length }]))
}

function textOf({ time, user, operation, object, refused, message, events }: Refusal): string {
  const { kind, namespace, name } = object
  const fate = refused ? 'refused' : 'would be refused'
  const again = events === 1 ? '' : `, ${events} Events`
  return `${time.slice(0, 19)}Z ${fate}: ${operation} of ${kind} ${namespace === '' ? '' : `${namespace}/`}${name} by ${user}${again}: ${message.replace(/^hitless: /, '')}`
}
