"""Configuration files become a Project: bindings, classes, migrations, all checked. See tests/config/."""

from perdure.config.load import load_project
from perdure.config.project import DATA_FOLDER, ClassDecl, DevSettings, ObjectBinding, Project

__all__ = ["DATA_FOLDER", "ClassDecl", "DevSettings", "ObjectBinding", "Project", "load_project"]
