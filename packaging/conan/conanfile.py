"""libfal for Conan 2: the shared and the static library, with their own files for CMake and pkg-config.

`conan create packaging/conan` builds them by cargo, from a checkout or a source archive. `conan export-pkg packaging/conan` packages
what is built already, in the folder that the variable LIBRARIES names.
"""

import os
import subprocess

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.files import copy

ROOT = os.path.join("..", "..")
EXCLUDED = ("target/*", "*/target/*", "build/*", "*/build/*", ".git/*", "*CMakeUserPresets.json")


class Fal(ConanFile):
    name = "libfal"
    description = "fal.ai for programs that are not web programs"
    license = "MIT OR Apache-2.0"
    topics = ("fal", "http", "inference")
    package_type = "shared-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"keyring": [True, False]}
    default_options = {"keyring": False}

    def set_version(self):
        version = os.path.join(self.recipe_folder, "..", "version")
        self.version = subprocess.run([version], check=True, capture_output=True, text=True).stdout.strip()

    def layout(self):
        self.folders.root = ROOT

    def export_sources(self):
        copy(self, "*", os.path.join(self.recipe_folder, ROOT), self.export_sources_folder, excludes=EXCLUDED)

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("the recipe builds libfal for Linux only")

    def package_id(self):
        # The interface is C, and cargo's profile is always release.
        del self.info.settings.compiler
        del self.info.settings.build_type

    def build(self):
        self.make("libs")

    def package(self):
        self.make(f"install-built PREFIX='{self.package_folder}' LICENSEDIR='{self.package_folder}/licenses'")

    def make(self, goal):
        features = "keyring" if self.options.keyring else ""
        self.run(f"make {goal} FEATURES={features} DESTDIR=", cwd=self.source_folder)

    def package_info(self):
        self.cpp_info.libs = ["fal"]
        # The package has fal::shared, fal::static and fal::cpp of its own.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "fal")]
