"""Documents that commands printed, against docs/schema/neap.schema.json.

usage: table.py SCHEMA FOLDER: each file FOLDER/NUMBER.NAME holds what was printed, one document or one a
line; NAME is a definition of the schema. Says what does not fit, and ends with 1; 77 when there is no
python3-jsonschema."""
import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)


def documents(text):
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def main():
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    checked, wrong = 0, 0
    for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
        name = path.name.split(".", 1)[1]
        if name not in schema["$defs"]:
            print(f"{name}: the schema has no such definition")
            wrong += 1
            continue
        validator = jsonschema.Draft202012Validator(
            {"$ref": "#/$defs/" + name, "$defs": schema["$defs"]})
        for document in documents(path.read_text()):
            checked += 1
            for error in validator.iter_errors(document):
                print(f"{path.name}: {error.json_path}: {error.message[:200]}")
                wrong += 1
    print(f"{checked} documents")
    return 1 if wrong or not checked else 0


sys.exit(main())
