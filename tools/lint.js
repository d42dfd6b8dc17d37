// Two rules of the house for `deno lint`: functions are short, and a name means one thing in a file.

const LONGEST = 40;

/** The names that a pattern binds: of `x`, `[x, ...y]`, `{ x, y: z = 1 }`. */
function bound(pattern) {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern];
    case "ArrayPattern":
      return pattern.elements.flatMap(bound);
    case "ObjectPattern":
      return pattern.properties.flatMap((property) => bound(property.value ?? property.argument));
    case "AssignmentPattern":
      return bound(pattern.left);
    case "RestElement":
      return bound(pattern.argument);
    default:
      return [];
  }
}

/** The names of a file: what it imports, and what it defines outside of all functions. */
function namesOf(program) {
  return program.body.flatMap((statement) => {
    if (statement.type === "ImportDeclaration") return statement.specifiers.map(({ local }) => local.name);
    const made = statement.declaration ?? statement;
    const nodes = made.declarations?.flatMap(({ id }) => bound(id)) ?? bound(made.id);
    return nodes.map(({ name }) => name);
  });
}

const FUNCTIONS = ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"];

const shortFunctions = {
  create(context) {
    const check = (node) => {
      const lines = context.sourceCode.getText(node).split("\n").length;
      const message = `This function has ${lines} lines, but at most ${LONGEST} are read at a glance`;
      if (lines > LONGEST) context.report({ node, message });
    };
    return Object.fromEntries(FUNCTIONS.map((type) => [type, check]));
  },
};

const oneMeaning = {
  create(context) {
    let names = new Set();
    const check = (patterns) => {
      for (const node of patterns.flatMap(bound)) {
        const message = `${node.name} means something else in this file: choose another name`;
        if (names.has(node.name)) context.report({ node, message });
      }
    };
    return {
      Program(node) {
        names = new Set(namesOf(node));
      },
      ...Object.fromEntries(FUNCTIONS.map((type) => [type, ({ params }) => check(params)])),
      VariableDeclarator({ id, parent }) {
        const outer = parent.parent.type;
        if (outer !== "Program" && outer !== "ExportNamedDeclaration") check([id]);
      },
    };
  },
};

export default { name: "house", rules: { "short-functions": shortFunctions, "one-meaning": oneMeaning } };
