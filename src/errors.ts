/** Every error that a user can meet, by code. The table is the documentation: docs and tests are made from it. */

/** `exit` is the command line's exit code, `http` the webhook's status. */
export const ERRORS = {
  HITLESS_USAGE: { exit: 2, http: 400, meaning: 'the command line cannot be understood' },
  HITLESS_CONFIG: { exit: 2, http: 500, meaning: 'the configuration file is not valid' },
  HITLESS_UNREADABLE: { exit: 2, http: 400, meaning: 'a file or folder cannot be read' },
  HITLESS_LINK: { exit: 2, http: 400, meaning: 'a link leads out of the folder that was named' },
  HITLESS_NO_FILE: { exit: 2, http: 400, meaning: 'what was named is neither a file nor a folder' },
  HITLESS_FILE_SIZE: { exit: 2, http: 400, meaning: 'a file, or all files together, are larger than hitless reads' },
  HITLESS_GIT: { exit: 2, http: 400, meaning: 'a commit cannot be read' },
  HITLESS_YAML: { exit: 2, http: 400, meaning: 'a document is no YAML' },
  HITLESS_MANIFEST: { exit: 2, http: 400, meaning: 'a manifest has a field that the API server, or Istio, would refuse' },
  HITLESS_NOTHING: { exit: 2, http: 400, meaning: 'no manifest is in what was named' },
  HITLESS_SCENARIO: { exit: 2, http: 400, meaning: 'a scenario file is not valid' },
  HITLESS_REQUESTS: { exit: 2, http: 400, meaning: 'a table of requests is not valid' },
  HITLESS_UNKNOWN_RULE: { exit: 2, http: 400, meaning: 'there is no rule of that name' },
  HITLESS_LISTEN: { exit: 2, http: 500, meaning: 'an address to listen on is taken or not ours' },
  HITLESS_CERTIFICATE: { exit: 2, http: 500, meaning: 'a certificate and its key cannot be served' },
  HITLESS_UNREACHABLE: { exit: 3, http: 503, meaning: 'the cluster cannot be reached' },
  HITLESS_EMPTY_BODY: { exit: 1, http: 400, meaning: 'the request has no body' },
  HITLESS_CONTENT_TYPE: { exit: 1, http: 415, meaning: 'the request is not application/json, or is compressed' },
  HITLESS_TOO_LARGE: { exit: 1, http: 413, meaning: 'the request is larger, or nested deeper, than two objects can be' },
  HITLESS_BAD_JSON: { exit: 1, http: 400, meaning: 'the body is no JSON' },
  HITLESS_BAD_REVIEW: { exit: 1, http: 400, meaning: 'the body is no AdmissionReview of admission.k8s.io/v1' },
  HITLESS_BAD_REQUEST: { exit: 1, http: 400, meaning: 'what was sent is no HTTP request, or its headers contradict each other' },
  HITLESS_TOO_SLOW: { exit: 1, http: 408, meaning: 'the request did not arrive in time' },
  HITLESS_NOT_FOUND: { exit: 1, http: 404, meaning: 'there is nothing at this path' },
  HITLESS_METHOD: { exit: 1, http: 405, meaning: 'reviews are sent by POST' },
  HITLESS_CLIENT: { exit: 1, http: 403, meaning: 'the client has no certificate, or one with another name than is asked for' },
  HITLESS_BUSY: { exit: 1, http: 503, meaning: 'more reviews, or bytes of them, are in flight than the configured limit' },
  HITLESS_PIPELINED: { exit: 1, http: 429, meaning: 'one connection has more requests in flight than it may' },
  HITLESS_TOO_COMPLEX: { exit: 2, http: 422, meaning: 'the write takes more work to judge than a review may; the failurePolicy decides' },
  HITLESS_NOT_JUDGED: { exit: 1, http: 500, meaning: 'no judgement could be made; the failurePolicy of the webhook decides' }
} as const satisfies Record<string, { exit: number; http: number; meaning: string }>

export type ErrorCode = keyof typeof ERRORS

/** An error with a stable code; its message names what and where, for a person. */
export class HitlessError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'HitlessError'
    this.code = code
  }

  get exit(): number {
    return ERRORS[this.code].exit
  }

  get http(): number {
    return ERRORS[this.code].http
  }
}
