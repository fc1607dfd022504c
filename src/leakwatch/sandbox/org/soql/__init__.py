"""SOQL: `parse` reads it by grammar, `compile` turns it into SQL, `results` shapes the rows."""
