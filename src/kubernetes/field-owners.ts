/** Who wrote which fields of an object, as the API server keeps it in `metadata.managedFields`. */
import type { Fields } from '../kinds/fields.ts'

export interface FieldOwner {
  readonly manager: string
  readonly writtenAtMs: number
  /** Whether the field at a path, in the words of `fieldsV1`, is theirs. */
  owns(...path: readonly string[]): boolean
}

export function fieldOwners(metadata: Fields): readonly FieldOwner[] {
  return metadata.each('managedFields', (entry) => {
    const fields = entry.child('fieldsV1')
    return {
      manager: entry.string('manager'),
      writtenAtMs: Date.parse(entry.string('time')),
      owns: (...path) => path.reduce<Fields | null>((at, key) => at?.child(key) ?? null, fields) !== null
    }
  })
}
