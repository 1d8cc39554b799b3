/** Reads a table of nodes, one a line, and says of each line what is wrong with it before anything is made. */
import { nodeAddress } from "../contract/node-address.ts";
import {
  createNodeSchema,
  type ImportAnswer,
  type NodeAddress,
  type NodeFields,
  nodeAddressSchema,
} from "../contract/nodes.ts";
import type { Pace } from "../fairness/pace.ts";
import { faultOfFields } from "./field-bytes.ts";
import { type GivenNode, isSameNode, mayStandBelow, type NewNode, type NodeRecord } from "./node-record.ts";
import type { NodeTree } from "./node-tree.ts";
import { type CsvRow, readCsv } from "./read-csv.ts";

export const maxImportedNodes = 100_000;
const maxListedErrors = 100;
const columns = ["kind", "id", "name", "parent", "external_id", "status"] as const;
/** A column `fields.region` fills the custom field `region`. */
const fieldPrefix = "fields.";

export interface ImportPlan {
  created: NewNode[];
  unchanged: number;
  errors: ImportAnswer["errors"];
}

/**
 * The nodes that the table describes: `top` stands for an empty parent, `isWithin` says which parents the caller may use. A node
 * that exists and differs in what is given is an error, as it is for POST /v1/nodes. Throws CsvError for text that is not CSV.
 */
export async function planImport(
  text: string,
  top: NodeAddress,
  tree: Pick<NodeTree, "get">,
  isWithin: (node: NodeAddress) => boolean,
  pace: Pace,
): Promise<ImportPlan> {
  const [header, ...rows] = await rowsOf(text, pace);
  const plan: ImportPlan = { created: [], unchanged: 0, errors: [] };
  const fault = (line: number, field: string, message: string) => {
    if (plan.errors.length < maxListedErrors) plan.errors.push({ line, field, message });
  };
  const names = header?.cells.map((name) => name.trim()) ?? [];
  const isKnown = (name: string) => (columns as readonly string[]).includes(name) || name.startsWith(fieldPrefix);
  for (const name of names)
    if (!isKnown(name)) fault(1, name, `is not a column; there are ${columns.join(", ")}, fields.*`);
  for (const needed of ["kind", "id"]) if (!names.includes(needed)) fault(1, needed, "this column is required");
  for (const name of new Set(names.filter((name, index) => names.indexOf(name) < index)))
    fault(1, name, "this column appears more than once");
  if (rows.length > maxImportedNodes) fault(1, "id", `a file can have at most ${maxImportedNodes} nodes`);
  if (plan.errors.length > 0) return plan;

  const wanted = new Map<NodeAddress, { line: number; node: NewNode; given: GivenNode }>();
  for (const { line, cells } of rows) {
    await pace.rest();
    if (cells.length > names.length) {
      fault(line, names.at(-1) ?? "", `the line has ${cells.length} cells, the header ${names.length}`);
      continue;
    }
    const parsed = createNodeSchema.safeParse(asNode(names, cells));
    if (!parsed.success) {
      for (const issue of parsed.error.issues) fault(line, issue.path.join("."), issue.message);
      continue;
    }
    const { kind, id, name, parent, external_id, status, fields } = parsed.data;
    const given = { name, parent: parent ?? top, externalId: external_id, status, fields };
    const tooLarge = tree.get(nodeAddress(kind, id)) ? undefined : faultOfFields(fields);
    if (tooLarge !== undefined) {
      fault(line, "fields", tooLarge);
      continue;
    }
    const node = { ...given, kind, id, name: name ?? id };
    const address = nodeAddress(kind, id);
    if (wanted.has(address)) fault(line, "id", `${address} is already on line ${wanted.get(address)?.line}`);
    else wanted.set(address, { line, node, given });
  }
  for (const [address, { line, node, given }] of wanted) {
    await pace.rest();
    const message = faultOfParent(node, wanted.has(node.parent), tree, isWithin);
    if (message !== undefined) {
      fault(line, "parent", message);
      continue;
    }
    const existing = tree.get(address);
    if (!existing) plan.created.push(node);
    // A status changes after a table was made, and its cells are text, whatever a field is.
    else if (
      isSameNode(existing, { ...given, status: undefined, fields: undefined }) &&
      hasFields(existing, given.fields)
    )
      plan.unchanged++;
    else fault(line, "id", `${address} is taken`);
  }
  return plan;
}

/** The header's, and one more than there may be at most. */
async function rowsOf(text: string, pace: Pace): Promise<CsvRow[]> {
  const rows: CsvRow[] = [];
  for await (const row of readCsv(text, pace)) if (rows.push(row) > maxImportedNodes + 1) break;
  return rows;
}

const hasFields = ({ fields }: Pick<NodeRecord, "fields">, given: NodeFields = {}) =>
  Object.entries(given).every(([name, value]) => String(fields[name] ?? "") === String(value));

/** Empty cells are left out: they are the defaults. */
function asNode(names: readonly string[], cells: readonly string[]): object {
  const given = names.flatMap((name, index) => (cells[index] ? [[name, cells[index]] as const] : []));
  const fields = given.filter(([name]) => name.startsWith(fieldPrefix));
  return {
    ...Object.fromEntries(given.filter(([name]) => !name.startsWith(fieldPrefix))),
    ...(fields.length > 0 && {
      fields: Object.fromEntries(fields.map(([name, value]) => [name.slice(fieldPrefix.length), value])),
    }),
  };
}

function faultOfParent(
  { kind, parent }: NewNode,
  isInTable: boolean,
  tree: Pick<NodeTree, "get">,
  isWithin: (node: NodeAddress) => boolean,
): string | undefined {
  if (!isInTable && !isWithin(parent)) return `${parent} is not within the caller's nodes`;
  const parentKind = isInTable ? kindOf(parent) : tree.get(parent)?.kind;
  if (parentKind === undefined) return `there is no node ${parent}`;
  return mayStandBelow(kind, parentKind) ? undefined : `a ${kind} cannot stand below a ${parentKind}`;
}

function kindOf(address: NodeAddress): NodeRecord["kind"] | undefined {
  const parsed = nodeAddressSchema.safeParse(address);
  return parsed.success ? (address.slice(0, address.indexOf(":")) as NodeRecord["kind"]) : undefined;
}
