"""The papers' tables as data: a file each, with the published figures and what it takes to run every row."""

from isthmus.papers.tables import PaperTable as PaperTable
from isthmus.papers.tables import load_table as load_table
from isthmus.papers.tables import load_tables as load_tables
