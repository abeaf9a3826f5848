"""What two or more experiments share: named networks, recipes, tables. Never prints or plots."""
