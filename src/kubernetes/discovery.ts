/** What the API server serves. */
import { Fields } from '../kinds/fields.ts'
import type { Connection } from './connection.ts'

/** The versions of a group, the preferred one first; null where there is no such group. */
export async function servedVersions(connection: Connection, group: string, signal: AbortSignal): Promise<readonly string[] | null> {
  const found = await connection.find(`/apis/${group}`, signal)
  return found === null ? null : new Fields(found).each('versions', (each) => each.string('version'))
}
