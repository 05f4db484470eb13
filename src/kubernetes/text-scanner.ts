/** Finds a few texts in a JSON value that is too long to be held: it is read once, byte by byte, and nothing else of it is kept. */

/** Names and resourceVersions are shorter. */
const LONGEST = 1_024

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])
const OBJECT = 0x7b

interface Level {
  readonly isObject: boolean
  key: string
}

export class TextScanner {
  readonly #wanted: ReadonlySet<string>
  readonly #found = new Map<string, string>()
  readonly #levels: Level[] = []
  #expectsKey = false
  #isInText = false
  #isEscaped = false
  /** The text under way, where it is a key or wanted. */
  #text: number[] | null = null

  /** `wanted`: paths such as `object.metadata.name`. */
  constructor(wanted: readonly string[]) {
    this.#wanted = new Set(wanted)
  }

  /** By path, as far as it was read. */
  get found(): ReadonlyMap<string, string> {
    return this.#found
  }

  push(bytes: Buffer): void {
    for (const byte of bytes) {
      if (this.#isInText) this.#inText(byte)
      else this.#between(byte)
    }
  }

  #between(byte: number): void {
    const level = this.#levels.at(-1)
    if (byte === QUOTE) {
      this.#isInText = true
      this.#text = this.#expectsKey || this.#wanted.has(this.#path()) ? [] : null
    } else if (OPEN.has(byte)) {
      this.#expectsKey = byte === OBJECT
      this.#levels.push({ isObject: byte === OBJECT, key: '' })
    } else if (CLOSE.has(byte)) {
      this.#levels.pop()
      this.#expectsKey = false
    } else if (byte === COLON) this.#expectsKey = false
    else if (byte === COMMA) this.#expectsKey = level?.isObject === true
  }

  #inText(byte: number): void {
    if (byte === QUOTE && !this.#isEscaped) {
      this.#isInText = false
      this.#endText()
      return
    }
    this.#isEscaped = byte === BACKSLASH && !this.#isEscaped
    if (this.#text !== null && this.#text.length <= LONGEST) this.#text.push(byte)
  }

  #endText(): void {
    if (this.#text === null) return
    const text = this.#text.length > LONGEST ? '' : unescaped(Buffer.from(this.#text).toString('utf8'))
    const level = this.#levels.at(-1)
    if (!this.#expectsKey) this.#found.set(this.#path(), text)
    else if (level !== undefined) level.key = text
  }

  /** A key of a stranger's that holds a dot is none of those wanted, and stands for itself only here. */
  #path(): string {
    return this.#levels.map(({ isObject, key }) => (isObject ? key.replaceAll('.', '\\.') : '[]')).join('.')
  }
}

function unescaped(text: string): string {
  try {
    return JSON.parse(`"${text}"`)
  } catch {
    return ''
  }
}
