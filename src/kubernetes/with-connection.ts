import { HitlessError } from '../errors.ts'
import { systemClock } from './clock.ts'
import { Connection } from './connection.ts'
import { type ClusterSource, CredentialReader } from './credentials.ts'

/** A connection for one piece of work; rejects with HITLESS_UNREACHABLE where that fails. */
export async function withConnection<T>(source: ClusterSource, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = new Connection(new CredentialReader(source), systemClock)
  try {
    return await work(connection)
  } catch (cause) {
    throw new HitlessError('HITLESS_UNREACHABLE', `the API server: ${cause instanceof Error ? cause.message : cause}`, { cause })
  } finally {
    await connection.close()
  }
}
