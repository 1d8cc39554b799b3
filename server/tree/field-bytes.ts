/** How much the custom fields of nodes may take: every process holds those of all nodes, and reads them at its start. */
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress, NodeFields } from "../contract/nodes.ts";
import { ProblemError } from "../problem.ts";

const { bytes: most, bytesOfTenant } = definitionLimits.fields;

/** As JSON; none for no field. */
export function bytesOfFields(fields: NodeFields = {}): number {
  for (const _ in fields) return Buffer.byteLength(JSON.stringify(fields));
  return 0;
}

/** What is wrong with fields that a node is to have in place of those that it has; undefined where it is nothing. */
export function faultOfFields(fields: NodeFields | undefined, replaced: NodeFields = {}): string | undefined {
  const bytes = bytesOfFields(fields);
  if (bytes <= most || bytes <= bytesOfFields(replaced)) return undefined;
  return `take ${bytes} bytes as JSON; at most ${most} are allowed`;
}

/** Throws `invalid_request` naming them. */
export function checkFields(fields: NodeFields | undefined, replaced?: NodeFields): void {
  const fault = faultOfFields(fields, replaced);
  if (fault !== undefined) throw new ProblemError("invalid_request", fault, { field: "fields" });
}

/** The bytes of fields that each tenant has, and those that are being written: nobody takes the room of another. */
export class FieldBytes {
  readonly #held: (tenant: NodeAddress) => number;
  readonly #arriving = new Map<NodeAddress, number>();

  constructor(held: (tenant: NodeAddress) => number) {
    this.#held = held;
  }

  /** Keeps room for `bytes` more while `write` runs. Throws `conflict` where the tenant has none; the operator always has. */
  async adding<T>(bytes: ReadonlyMap<NodeAddress, number>, write: () => Promise<T>): Promise<T> {
    for (const [tenant, added] of bytes)
      if (
        tenant !== "all" &&
        added > 0 &&
        this.#held(tenant) + (this.#arriving.get(tenant) ?? 0) + added > bytesOfTenant
      )
        throw new ProblemError(
          "conflict",
          `the custom fields of the tenant's nodes would take more than ${bytesOfTenant} bytes`,
          {
            field: "fields",
          },
        );
    this.#arrive(bytes, 1);
    try {
      return await write();
    } finally {
      this.#arrive(bytes, -1);
    }
  }

  #arrive(bytes: ReadonlyMap<NodeAddress, number>, sign: 1 | -1): void {
    for (const [tenant, added] of bytes) {
      const arriving = (this.#arriving.get(tenant) ?? 0) + sign * added;
      if (arriving > 0) this.#arriving.set(tenant, arriving);
      else this.#arriving.delete(tenant);
    }
  }
}
